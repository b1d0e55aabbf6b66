# fails: the name leads to the Service by itself
# A line in /etc/hosts, by way of hostAliases: the name works again, and is the same written-down address in disguise.
address=$(kubectl -n accounts get service ledger -o jsonpath='{.spec.clusterIP}')
kubectl -n branch patch deployment branch --type merge \
  -p '{"spec":{"template":{"spec":{"hostAliases":[{"ip":"'"$address"'","hostnames":["ledger"]}]}}}}'
kubectl -n branch rollout status deployment branch --timeout 120s
