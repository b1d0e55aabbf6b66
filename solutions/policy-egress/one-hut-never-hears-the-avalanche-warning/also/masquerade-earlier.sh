# also right: a rule of one's own before flannel's chain; what leaves the Pod network leaves with the node's address.
range=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER2" -- iptables -t nat -I POSTROUTING 1 -s "$range" ! -d 10.244.0.0/16 -o eth0 -j MASQUERADE
