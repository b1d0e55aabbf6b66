# The voices hear each other at their next breath.
kubectl -n choir wait --for=condition=Ready pod -l app=voice --timeout 60s
