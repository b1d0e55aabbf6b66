# On the sorter's node, the tunnel's end for the annex's node is said to be at an address that nobody has.
mac=$(podwalk node "$WORKER2" -- cat /sys/class/net/flannel.1/address)
podwalk node "$WORKER" -- bridge fdb replace "$mac" dev flannel.1 dst "${WORKER_IP%.*}.$LAB_LOST"
