# fails: the brewmaster reaches all three kettles
# The route to the range written again, as if it were missing. It is there, and it is not asked: the longer prefix wins.
cidr=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER" -- ip route replace "$cidr" via "${cidr%/*}" dev flannel.1 onlink
podwalk node "$WORKER" -- ip neigh flush dev eth0
