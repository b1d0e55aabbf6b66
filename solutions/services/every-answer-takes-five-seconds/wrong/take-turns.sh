# fails: thirty calls take no time at all
# `rotate` spreads the questions over the servers: now only every second customer waits.
kubectl -n pharmacy patch deployment counter --type merge \
  -p '{"spec":{"template":{"spec":{"dnsConfig":{"options":[{"name":"ndots","value":"5"},{"name":"rotate"}]}}}}}'
kubectl -n pharmacy rollout status deployment counter --timeout 120s
