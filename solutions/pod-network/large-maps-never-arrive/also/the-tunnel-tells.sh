# also right: the tunnel knows its size again, and the node tells each sender (ICMP "fragmentation needed"), who listens.
for node in "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- ip link set flannel.1 mtu 1450
done
