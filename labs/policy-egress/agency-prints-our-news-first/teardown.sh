# What somebody may have put on the nodes against the agency.
for node in "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- sh -c 'iptables -S FORWARD | sed -n "s/^-A\(.* --dport 7070 -j DROP\)$/-D\1/p" |
    while read -r rule; do iptables $rule; done' || true
done
