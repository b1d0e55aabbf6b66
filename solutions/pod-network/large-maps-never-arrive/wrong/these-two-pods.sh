# fails: a reader who comes tomorrow gets it too
# The devices of the Pods that are there are made smaller by hand. The next Pod gets its size from the same place as before.
for node in "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- sh -c '
    for name in $(ip netns | cut -d" " -f1); do
      in="nsenter --net=/run/netns/$name"
      ! $in ip link show eth0 2>/dev/null | grep -q "mtu 1500" || $in ip link set eth0 mtu 1400
    done'
done
