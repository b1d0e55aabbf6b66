# The list without the server that is gone.
kubectl -n pharmacy patch deployment counter --type merge \
  -p '{"spec":{"template":{"spec":{"dnsConfig":{"nameservers":["10.96.0.10"]}}}}}'
kubectl -n pharmacy rollout status deployment counter --timeout 120s
