# fails: both wings and their Service are as they were
# One port for all: the new wing takes its calls where the old one does. Its safe was in the way.
kubectl -n grandhotel patch deployment new-wing --type json -p '[
  {"op":"replace","path":"/spec/template/spec/containers/0/args/1","value":"--http-port=8080"},
  {"op":"replace","path":"/spec/template/spec/containers/0/ports/0/containerPort","value":8080},
  {"op":"replace","path":"/spec/template/spec/containers/0/readinessProbe/tcpSocket/port","value":8080},
  {"op":"remove","path":"/spec/template/spec/containers/1"}]'
kubectl -n grandhotel rollout status deployment new-wing --timeout 120s
