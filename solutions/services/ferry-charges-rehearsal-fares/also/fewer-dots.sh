# also right: a name with two dots is asked as it stands first; pier and pier.ferry have fewer, and are completed as before.
kubectl -n ferry patch deployment booth --type merge \
  -p '{"spec":{"template":{"spec":{"dnsConfig":{"options":[{"name":"ndots","value":"2"}]}}}}}'
kubectl -n ferry rollout status deployment booth --timeout 120s
