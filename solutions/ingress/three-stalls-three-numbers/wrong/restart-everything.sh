# fails: the fishmonger sells
# The nephew's way. New Pods, the same three numbers.
kubectl -n market rollout restart deployment fish cheese flowers
kubectl -n market rollout status deployment fish --timeout 60s
