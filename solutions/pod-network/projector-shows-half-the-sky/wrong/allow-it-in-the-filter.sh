# fails: the projector shows the whole sky
# The port opened in the table that everybody knows. No packet comes so far: the raw table has dropped it before.
for node in "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- iptables -I INPUT -p udp --dport 8472 -j ACCEPT
done
