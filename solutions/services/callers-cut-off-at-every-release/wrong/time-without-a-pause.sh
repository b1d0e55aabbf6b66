# fails: the last release has cut off nobody
# A minute of grace. But grace is the time until SIGKILL, and this program does not wait for it: it ends at SIGTERM.
kubectl -n switchboard patch deployment line -p '{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":60}}}}'
kubectl -n switchboard rollout status deployment line --timeout 120s
kubectl -n switchboard rollout restart deployment line
kubectl -n switchboard rollout status deployment line --timeout 120s
