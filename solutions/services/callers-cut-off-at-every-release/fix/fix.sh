# A pause before SIGTERM, and the time for it. Then a release of Pods that have the pause: only these leave quietly.
settled() {
  kubectl -n switchboard rollout status deployment line --timeout 120s
  until [ "$(kubectl -n switchboard get pod -l app=line -o name | wc -l)" = 2 ]; do sleep 0.2; done
}
kubectl -n switchboard patch deployment line -p '{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":10,
  "containers":[{"name":"line","lifecycle":{"preStop":{"sleep":{"seconds":3}}}}]}}}}'
settled
# Calls of the first release may still hang.
sleep 3
kubectl -n switchboard rollout restart deployment line
settled
