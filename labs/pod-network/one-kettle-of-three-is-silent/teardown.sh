# No routes to single addresses of Pods, neither that one nor the learner's, and nobody who plays the dead machine.
for node in "$CONTROL_PLANE" "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- sh -c 'ip route show table main | grep -E "^((blackhole|unreachable) )?10\.244\.[0-9]+\.[0-9]+ " |
    while read -r route; do ip route del $route; done
    ip -o -4 address show dev eth0 | grep -o "172\.18\.0\.77[^ ]*" | while read -r address; do
      ip address del "$address" dev eth0
    done'
done
