# fails: every node reaches both halls
# Routes past the tunnel, from the projector's node to the hall and back: the projector is happy, and the third node is not.
node=$WORKER address=$WORKER_IP
[ "$LAB_HALL" = east ] || node=$WORKER2 address=$WORKER2_IP
for pair in "$CONTROL_PLANE $node $address" "$node $CONTROL_PLANE $CONTROL_PLANE_IP"; do
  set -- $pair
  cidr=$(kubectl get node "$2" -o jsonpath='{.spec.podCIDR}')
  podwalk node "$1" -- ip route replace "$cidr" via "$3" dev eth0
done
