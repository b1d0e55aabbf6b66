# Plugins run when a Pod is plugged in, so this one has to be plugged in again.
kubectl -n quarry rollout restart deployment north
kubectl -n quarry rollout status deployment north --timeout 60s
