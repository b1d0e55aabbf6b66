mac=$(podwalk node "$WORKER2" -- cat /sys/class/net/flannel.1/address)
podwalk node "$WORKER" -- bridge fdb replace "$mac" dev flannel.1 dst "$WORKER2_IP"
