# fails: a rollout tomorrow leaves it so
# Eight of them: some will surely lie on the other worker. Where a preference decides, "surely" is not in writing.
kubectl -n embassy patch service guestbook -p '{"spec":{"externalTrafficPolicy":"Local"}}'
kubectl -n embassy scale deployment guestbook --replicas 8
kubectl -n embassy rollout status deployment guestbook --timeout 120s
