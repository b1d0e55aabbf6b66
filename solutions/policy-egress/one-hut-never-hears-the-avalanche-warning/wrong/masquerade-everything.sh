# fails: among themselves the huts keep their addresses
# One rule for all that leaves the Pod range. The other huts and the notice board are outside of it, too.
range=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER2" -- iptables -t nat -I POSTROUTING 1 -s "$range" -j MASQUERADE
