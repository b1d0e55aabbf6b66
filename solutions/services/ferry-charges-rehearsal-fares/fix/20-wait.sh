# The booth reads its address when it starts.
kubectl -n ferry rollout status deployment booth --timeout 60s
