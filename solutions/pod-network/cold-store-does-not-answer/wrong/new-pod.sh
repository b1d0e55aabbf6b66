# fails: the office reads the cold store
# A new Pod on the same node gets a new address behind the same closed door.
kubectl -n dairy rollout restart deployment coldstore
kubectl -n dairy rollout status deployment coldstore --timeout 60s
