# fails: the south hut hears the warning
# The answer does not find the Pod? Then the institute gets a route. It now writes our Pods' addresses into its books.
range=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
podwalk outside -- ip route add "$range" via "$WORKER2_IP"
