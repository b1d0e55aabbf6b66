# The bank forgets its list; nodes, the policy and the address that the lab may have brought go.
podwalk outside -- sh -c 'nft delete table inet bank 2>/dev/null; rm -rf /run/bank; true'
kubectl get ciliumegressgatewaypolicies -o name 2>/dev/null | xargs -r kubectl delete >/dev/null
address=172.18.0.$LAB_HOST
for node in "$CONTROL_PLANE" "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- sh -c '
    ip addr del "$1/32" dev eth0 2>/dev/null; ip addr del "$1/16" dev eth0 2>/dev/null
    iptables -t nat -S POSTROUTING | grep "^-A" | grep -vE "FLANNEL-POSTRTG|KUBE-POSTROUTING|CNI-" | sed "s/^-A/-D/" |
      while read -r rule; do echo "$rule" | xargs iptables -t nat; done' sh "$address"
done
i=0
while podwalk node "$WORKER" -- nft list tables | grep -q podwalk-egress && [ $i -lt 50 ]; do
  i=$((i + 1))
  sleep 0.1
done
