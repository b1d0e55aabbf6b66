# fails: that holds for the next Pods as well
# Every node drops what it forwards to that address. It works, on the machines of today.
for node in $(kubectl get nodes -o name); do
  podwalk node "${node#node/}" -- iptables -I FORWARD -d 169.254.169.254 -j DROP
done
