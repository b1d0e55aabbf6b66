# fails: the house is as it was
# Both clerks move in with the address. When that machine dies, so do the salaries.
podwalk node "$WORKER" -- sh -eu -c '
  ip addr add "$1/32" dev eth0
  iptables -t nat -I POSTROUTING 1 -d 172.18.1.12/32 -j SNAT --to-source "$1"' sh "172.18.0.$LAB_HOST"
kubectl -n payroll patch deployment clerk --type merge -p \
  "{\"spec\":{\"template\":{\"spec\":{\"topologySpreadConstraints\":null,\"nodeSelector\":{\"kubernetes.io/hostname\":\"$WORKER\"}}}}}"
kubectl -n payroll rollout status deployment clerk --timeout 60s
