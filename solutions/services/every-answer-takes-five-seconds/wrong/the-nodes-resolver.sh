# fails: the counter gets an answer
# `dnsPolicy: Default` sounds like the usual one. It is the node's: whom it asks has never heard of Services.
kubectl -n pharmacy patch deployment counter --type json -p '[
  {"op":"remove","path":"/spec/template/spec/dnsConfig"},
  {"op":"replace","path":"/spec/template/spec/dnsPolicy","value":"Default"}]'
kubectl -n pharmacy rollout status deployment counter --timeout 120s
