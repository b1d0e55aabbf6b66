# fails: the stand is as it was
# Whoever holds twelve of eight lines is to blame. The window takes bets, and nobody knows the odds.
kubectl -n racecourse scale deployment board --replicas 0
kubectl -n racecourse wait --for=delete pod -l app=board --timeout 60s
podwalk node "$WORKER" -- sh -c 'conntrack -D -p tcp -d 172.18.1.11 >/dev/null 2>&1 || true'
