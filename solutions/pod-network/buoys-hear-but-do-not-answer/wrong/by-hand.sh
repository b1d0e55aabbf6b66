# fails: the next buoy will answer as well
# The entry is deleted in both buoys, from their nodes. They answer, until one of them is launched again.
for node in "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- sh -eu -c '
    gateway=$(ip -o -4 addr show dev cni0 | sed "s/.*inet \([0-9.]*\).*/\1/")
    for name in $(ip netns | cut -d" " -f1); do nsenter "--net=/run/netns/$name" ip neigh del "$gateway" dev eth0 2>/dev/null || true; done'
done
