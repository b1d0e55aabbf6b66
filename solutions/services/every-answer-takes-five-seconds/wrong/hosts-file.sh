# fails: the name leads to the Service by itself
# /etc/hosts is read before any server is asked: quick, and as true as the day on which it was written.
address=$(kubectl -n pharmacy get service shelf -o jsonpath='{.spec.clusterIP}')
kubectl -n pharmacy patch deployment counter --type merge \
  -p '{"spec":{"template":{"spec":{"hostAliases":[{"ip":"'"$address"'","hostnames":["shelf"]}]}}}}'
kubectl -n pharmacy rollout status deployment counter --timeout 120s
