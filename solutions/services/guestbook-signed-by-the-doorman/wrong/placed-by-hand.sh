# fails: a rollout tomorrow leaves it so
# Close a worker, delete a Pod, open the worker again: one Pod on each, until the next rollout.
kubectl -n embassy patch service guestbook -p '{"spec":{"externalTrafficPolicy":"Local"}}'
kubectl cordon "$WORKER"
kubectl -n embassy delete "$(kubectl -n embassy get pod -l app=guestbook -o name | head -n 1)"
kubectl -n embassy rollout status deployment guestbook --timeout 120s
kubectl uncordon "$WORKER"
