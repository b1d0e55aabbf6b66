# fails: a large map arrives
# New Pods of the same size on the same tunnel.
kubectl -n cartography rollout restart deployment atlas reader
kubectl -n cartography rollout status deployment atlas --timeout 60s
kubectl -n cartography rollout status deployment reader --timeout 60s
