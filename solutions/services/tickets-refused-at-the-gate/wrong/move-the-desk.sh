# fails: the night audit still gets through
# The other way round: let the desk listen where the Service sends. The gate is happy, and whoever knew 8080 is not.
kubectl -n fair patch deployment tickets --type json -p '[
  {"op":"replace","path":"/spec/template/spec/containers/0/args","value":["netexec","--http-port=8088"]},
  {"op":"replace","path":"/spec/template/spec/containers/0/readinessProbe/tcpSocket/port","value":8088},
  {"op":"replace","path":"/spec/template/spec/containers/0/ports/0/containerPort","value":8088}]'
kubectl -n fair rollout status deployment tickets --timeout 120s
