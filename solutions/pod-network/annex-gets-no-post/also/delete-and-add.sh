# also right: in two steps.
mac=$(podwalk node "$WORKER2" -- cat /sys/class/net/flannel.1/address)
podwalk node "$WORKER" -- bridge fdb del "$mac" dev flannel.1 dst "${WORKER_IP%.*}.$LAB_LOST"
podwalk node "$WORKER" -- bridge fdb append "$mac" dev flannel.1 dst "$WORKER2_IP"
