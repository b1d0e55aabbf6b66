# fails: the last release has cut off nobody
# The right repair, and one release: it sends away the Pods from before the repair. The proof is the next release.
kubectl -n switchboard patch deployment line -p '{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":10,
  "containers":[{"name":"line","lifecycle":{"preStop":{"sleep":{"seconds":3}}}}]}}}}'
kubectl -n switchboard rollout status deployment line --timeout 120s
