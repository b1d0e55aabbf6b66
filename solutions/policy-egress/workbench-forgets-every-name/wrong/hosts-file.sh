# fails: the bench finds parts by name
# If nobody may be asked for the name, write it down in the Pod. One name, one address, until it changes.
address=$(kubectl -n watchmaker get service parts -o jsonpath='{.spec.clusterIP}')
kubectl -n watchmaker patch deployment bench \
  -p '{"spec":{"template":{"spec":{"hostAliases":[{"ip":"'"$address"'","hostnames":["parts"]}]}}}}'
kubectl -n watchmaker rollout status deployment bench --timeout 120s
