# The auditors' rule, on every node alike; on one of them somebody has typed a port too many.
for node in "$CONTROL_PLANE" "$WORKER" "$WORKER2"; do
  ports=8125,9125
  case "$LAB_HALL $node" in "east $WORKER" | "west $WORKER2") ports=8125,8472,9125 ;; esac
  podwalk node "$node" -- iptables -t raw -A PREROUTING -p udp -m multiport --dports "$ports" -j DROP
done
