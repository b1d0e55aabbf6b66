# fails: the visitor gets through both gates
# New gates on the same ground, under the same rule.
kubectl -n stadium rollout restart deployment gate
kubectl -n stadium rollout status deployment gate --timeout 60s
