# fails: the door was given by the cluster's load balancer
# <pending> is only a field, so fill it in: with the address of a node. It works, for as long as that node stands.
kubectl -n museum patch service door --subresource status --type merge \
  -p '{"status":{"loadBalancer":{"ingress":[{"ip":"'"$WORKER_IP"'"}]}}}'
