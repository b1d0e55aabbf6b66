# fails: it is found by its name
# The same address, where no resolver is asked any more.
kubectl -n ferry patch deployment booth --type merge -p \
  '{"spec":{"template":{"spec":{"hostAliases":[{"ip":"172.18.1.11","hostnames":["api.outside.test"]}]}}}}'
kubectl -n ferry rollout status deployment booth --timeout 120s
