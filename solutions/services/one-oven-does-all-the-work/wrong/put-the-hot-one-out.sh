# fails: every oven gets its share
# Whoever bakes all is taken away. The connection breaks, the shop connects again, and the next oven bakes all.
hot= n=0
until [ -n "$hot" ] || [ "$n" -ge 50 ]; do # the shop has just opened: wait for its first loaf
  hot=$(kubectl -n bakery exec deploy/shop -- tail -n 1 /tmp/orders | cut -d' ' -f2) || hot=
  case $hot in oven-*) ;; *) hot= ;; esac # a call may have failed
  n=$((n + 1))
  sleep 0.2
done
kubectl -n bakery delete pod "$hot"
kubectl -n bakery rollout status deployment oven --timeout 120s
