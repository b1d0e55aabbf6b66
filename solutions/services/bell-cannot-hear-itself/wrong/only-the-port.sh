# fails: a bell made tomorrow hears itself on either worker
# The one port that is in the way is switched, and the bell rings at once. The next Pod gets a port from the old recipe.
for node in "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- sh -eu -c '
    for port in $(ls /sys/class/net/cni0/brif 2>/dev/null); do bridge link set dev "$port" hairpin on || [ ! -e "/sys/class/net/cni0/brif/$port" ]; done'
done
