# fails: thirty calls take no time at all
# Five seconds are the resolver's patience, so give it less: one second. Every call still begins with a question to nobody.
kubectl -n pharmacy patch deployment counter --type merge \
  -p '{"spec":{"template":{"spec":{"dnsConfig":{"options":[{"name":"ndots","value":"5"},{"name":"timeout","value":"1"}]}}}}}'
kubectl -n pharmacy rollout status deployment counter --timeout 120s
