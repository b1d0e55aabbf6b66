# fails: a large packet of any protocol arrives
# The well-known spell: both ends of each TCP connection are talked into smaller segments. Whatever is not TCP is still lost.
for node in "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1300
done
