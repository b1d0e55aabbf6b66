# fails: the office reads the cold store
# cni0 is where the packet should go, so cni0 is told to forward. But it is the device a packet comes in by that is asked.
podwalk node "$WORKER2" -- sh -c 'for d in cni0 default; do [ ! -d /proc/sys/net/ipv4/conf/$d ] || echo 1 >/proc/sys/net/ipv4/conf/$d/forwarding; done'
