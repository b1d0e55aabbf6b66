# fails: every oven gets its share
# If three do not help, take five. Four of them will be cold.
kubectl -n bakery scale deployment oven --replicas 5
kubectl -n bakery rollout status deployment oven --timeout 120s
