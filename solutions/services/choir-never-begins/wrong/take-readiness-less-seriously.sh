# fails: the singers are the same
# Without the probe everybody is ready at once, and so has a name. Nobody will notice a singer who hears nothing.
kubectl -n choir patch statefulset voice --type json \
  -p '[{"op":"remove","path":"/spec/template/spec/containers/0/readinessProbe"}]'
# The StatefulSet replaces them as well, under the same names: who waits for a name to go may wait for ever.
kubectl -n choir delete pod -l app=voice --wait=false
kubectl -n choir rollout status statefulset voice --timeout 60s
