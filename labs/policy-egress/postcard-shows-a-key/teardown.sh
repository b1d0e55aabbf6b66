# Nobody answers for the metadata any more.
podwalk outside -- sh -c 'kill "$(cat /run/lab-metadata.pid)"; rm -f /run/lab-metadata.pid' 2>/dev/null || true
podwalk outside -- ip address del 169.254.169.254/32 dev kind0 2>/dev/null || true
# What somebody may have put on the nodes against it.
for node in "$CONTROL_PLANE" "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- sh -c 'ip route del blackhole 169.254.169.254
    while iptables -D FORWARD -d 169.254.169.254 -j DROP; do :; done' 2>/dev/null || true
done
