# What somebody may have put on the nodes against it.
for node in "$CONTROL_PLANE" "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- sh -c 'iptables -S | sed -n "s/^-A\(.* --dport '"$LAB_PORT"' -j DROP\)$/-D\1/p" |
    while read -r rule; do iptables $rule; done' || true
done
