# The three entries for the annex's node as flannel made them; and nobody has the lost address.
mac=$(podwalk node "$WORKER2" -- cat /sys/class/net/flannel.1/address)
range=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
lost=${WORKER_IP%.*}.$LAB_LOST
podwalk node "$WORKER" -- sh -eu -c '
  ip neigh replace "${2%/*}" lladdr "$1" dev flannel.1 nud permanent
  bridge fdb replace "$1" dev flannel.1 dst "$3"
  ip route flush "$2" && ip route replace "$2" via "${2%/*}" dev flannel.1 onlink
  ip neigh del "$4" dev eth0 2>/dev/null || true' sh "$mac" "$range" "$WORKER2_IP" "$lost"
podwalk node "$WORKER2" -- sh -c 'ip addr del "$1/16" dev eth0 2>/dev/null || true' sh "$lost"
