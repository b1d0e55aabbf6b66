# fails: the policy and the gates are as they were
# The rule names a port, so the gates take another one, and the policy with them. The turnstiles of forty clubs know the old one.
kubectl -n stadium patch deployment gate --type json -p '[
  {"op":"replace","path":"/spec/template/spec/containers/0/args/1","value":"--http-port=18080"},
  {"op":"replace","path":"/spec/template/spec/containers/0/readinessProbe/tcpSocket/port","value":18080}]'
kubectl -n stadium patch service gate --type json -p '[{"op":"replace","path":"/spec/ports/0/targetPort","value":18080}]'
kubectl -n stadium patch networkpolicy gate --type json -p '[{"op":"replace","path":"/spec/ingress/0/ports/0/port","value":18080}]'
kubectl -n stadium rollout status deployment gate --timeout 60s
