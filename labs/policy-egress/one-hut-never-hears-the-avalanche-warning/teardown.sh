# Both workers get flannel's rules as the control plane has them, each with its own range, and none of the learner's in
# POSTROUTING; and outside there is no way to Pods.
range() { kubectl get node "$1" -o jsonpath='{.spec.podCIDR}'; }
there=$(range "$CONTROL_PLANE")
for node in "$WORKER" "$WORKER2"; do
  here=$(range "$node")
  podwalk node "$CONTROL_PLANE" -- iptables -t nat -S FLANNEL-POSTRTG | grep "^-A" | sed "s#$there#$here#g" |
    podwalk node "$node" -- sh -c '
      iptables -t nat -F FLANNEL-POSTRTG
      while read -r rule; do echo "$rule" | xargs iptables -t nat; done
      iptables -t nat -S POSTROUTING | grep "^-A" | grep -vE "FLANNEL-POSTRTG|KUBE-POSTROUTING|CNI-" | sed "s/^-A/-D/" |
        while read -r rule; do echo "$rule" | xargs iptables -t nat; done'
done
podwalk outside -- sh -c 'ip -4 route | grep "^10\.244\." | while read -r way; do ip route del $way; done'
