# fails: what is for the annex is sent to its node, through the tunnel
# The counter reaches the annex, so the sorter's post goes to the counter's node, which passes it on. It works, for now.
range=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
over=$(kubectl get node "$CONTROL_PLANE" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER" -- ip route replace "$range" via "${over%/*}" dev flannel.1 onlink
