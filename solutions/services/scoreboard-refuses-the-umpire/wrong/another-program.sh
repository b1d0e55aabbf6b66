# fails: the scoreboard is the licensed one
# Any server that waits everywhere will do for the refusal. This one even knows the score, and is not licensed for it.
kubectl -n centrecourt patch deployment score --type json -p '[
  {"op":"replace","path":"/spec/template/spec/containers/0/image","value":"registry.k8s.io/e2e-test-images/agnhost:2.53"},
  {"op":"replace","path":"/spec/template/spec/containers/0/command","value":["/agnhost","netexec","--http-port='"$LAB_PORT"'"]},
  {"op":"remove","path":"/spec/template/spec/containers/0/readinessProbe"}]'
kubectl -n centrecourt rollout status deployment score --timeout 120s
