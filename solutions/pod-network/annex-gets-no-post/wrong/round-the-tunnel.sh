# fails: what is for the annex is sent to its node, through the tunnel
# The nodes are neighbours here, so a route to the node itself does. Where they are not, this packet has a foreign address.
range=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER" -- ip route replace "$range" via "$WORKER2_IP" dev eth0
