# Only the rules that flannel, kube-proxy and the port mapping made; and no memory of the bookmaker.
for node in "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- sh -c '
    iptables -t nat -S POSTROUTING | grep "^-A" | grep -vE "FLANNEL-POSTRTG|KUBE-POSTROUTING|CNI-" | sed "s/^-A/-D/" |
      while read -r rule; do echo "$rule" | xargs iptables -t nat; done
    conntrack -D -p tcp -d 172.18.1.11 >/dev/null 2>&1 || true'
done
