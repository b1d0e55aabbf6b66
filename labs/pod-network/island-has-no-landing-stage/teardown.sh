# First the Pods, so that the learner's plugin is asked to take its wires away; then the nodes, back to no network at all.
kubectl -n island delete job,deployment --all --ignore-not-found >/dev/null
kubectl -n island delete pod --all --grace-period=1 --ignore-not-found >/dev/null
for node in "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- sh -c 'rm -rf /etc/cni/net.d/* /var/lib/cni/island
    find /opt/cni/bin -type f -delete
    for bridge in $(ip -o link show type bridge | cut -d: -f2); do ip link del "$bridge"; done
    sysctl -qw net.ipv4.ip_forward=0'
done
