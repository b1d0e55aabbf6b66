# What the plugin is told for the Pods to come, and what it would have done to those that are there.
for node in "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- sh -eu -c '
    sed -i "s/\"hairpinMode\": true/\"hairpinMode\": false/" /etc/cni/net.d/10-flannel.conflist
    for port in $(ls /sys/class/net/cni0/brif 2>/dev/null); do bridge link set dev "$port" hairpin off || [ ! -e "/sys/class/net/cni0/brif/$port" ]; done'
done
