# fails: visitors from the street get in
# The same with an address out of the pool. kubectl shows it, kube-proxy has rules for it, and nobody answers for it by ARP.
kubectl -n museum patch service door --subresource status --type merge \
  -p '{"status":{"loadBalancer":{"ingress":[{"ip":"172.18.255.240"}]}}}'
