# fails: the nodes are as the chamber made them
# What is forwarded and what the node itself sends: now it is tight, on each node of today, and nobody will know why.
for node in $(kubectl get nodes -o name); do
  for chain in FORWARD OUTPUT; do
    podwalk node "${node#node/}" -- iptables -I $chain ! -o lo -p tcp --dport "$LAB_PORT" -j DROP
  done
done
