# fails: nobody else can even connect to it
# If nobody enforces it, do it by hand on each node. That stops what is forwarded, and not the nodes themselves.
for node in $(kubectl get nodes -o name); do
  podwalk node "${node#node/}" -- iptables -I FORWARD -p tcp --dport "$LAB_PORT" -j DROP
done
