# fails: trucks at the north ramp get an answer
# A new Pod, plugged in by the same list as the old one. It worked for the electrician's printer once.
kubectl -n quarry rollout restart deployment north
kubectl -n quarry rollout status deployment north --timeout 60s
