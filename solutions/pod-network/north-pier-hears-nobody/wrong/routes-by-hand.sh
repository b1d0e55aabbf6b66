# fails: each node has a session with each other
# The routes that are missing, by hand, on the two nodes that matter. The tower hears both piers, and BIRD neither.
for pair in "$WORKER $WORKER2_IP $WORKER2" "$WORKER2 $WORKER_IP $WORKER"; do
  set -- $pair
  cidr=$(kubectl get node "$3" -o jsonpath='{.spec.podCIDR}')
  podwalk node "$1" -- ip route add "$cidr" via "$2" dev eth0
done
