# Nothing of ours is in the raw table of a node: neither the auditors' rule, nor what the learner put in its place.
for node in "$CONTROL_PLANE" "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- sh -eu -c '
    for table in raw filter; do
      iptables -t $table -S | sed -n -e "/8125/s/^-A /-D /p" -e "/8472/s/^-A /-D /p" -e "/9125/s/^-A /-D /p" |
        sort -u | while read -r rule; do iptables -t $table $rule; done
    done'
done
# The ways to the other nodes as flannel makes them, where somebody has led them round the overlay.
for there in "$CONTROL_PLANE" "$WORKER" "$WORKER2"; do
  cidr=$(kubectl get node "$there" -o jsonpath='{.spec.podCIDR}')
  for node in "$CONTROL_PLANE" "$WORKER" "$WORKER2"; do
    [ "$node" = "$there" ] || podwalk node "$node" -- ip route replace "$cidr" via "${cidr%/*}" dev flannel.1 onlink
  done
done
