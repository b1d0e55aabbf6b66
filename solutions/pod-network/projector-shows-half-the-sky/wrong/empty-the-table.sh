# fails: the ports for metrics are shut
# The table emptied on both nodes, and the whole sky is back. So is whoever writes into the metrics.
for node in "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- iptables -t raw -F
done
