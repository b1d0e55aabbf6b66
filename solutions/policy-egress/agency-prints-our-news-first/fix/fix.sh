kubectl -n newsroom delete pod -l app=wire
kubectl -n newsroom rollout status deployment wire --timeout 120s
