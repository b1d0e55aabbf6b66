# The next Pod is on its way; it is Ready when the stall answers.
kubectl -n market rollout status deployment flowers --timeout 60s
