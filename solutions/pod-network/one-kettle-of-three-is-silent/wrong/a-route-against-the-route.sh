# fails: whoever gets the address next will be reached
# The single route replaced by one that is right, today. It nails an address to a node, as the one before it did.
address=$(kubectl -n brewery get pod "kettle-$LAB_KETTLE" -o jsonpath='{.status.podIP}')
cidr=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER" -- ip route replace "$address/32" via "${cidr%/*}" dev flannel.1 onlink
