# fails: nobody goes without a drink
# The proportion is put right, and mint saves a Pod: its share does not go over to classic, it goes to nobody.
kubectl -n lemonade patch httproute orders --type json -p "[
  {\"op\":\"replace\",\"path\":\"/spec/rules/1/backendRefs/0/weight\",\"value\":$LAB_GLASSES},
  {\"op\":\"replace\",\"path\":\"/spec/rules/1/backendRefs/1/weight\",\"value\":1}]"
kubectl -n lemonade wait httproute orders --timeout 30s --for=jsonpath='{.status.parents[0].conditions[0].observedGeneration}'="$(
  kubectl -n lemonade get httproute orders -o jsonpath='{.metadata.generation}')"
kubectl -n lemonade scale deployment mint --replicas 0
kubectl -n lemonade wait --for=delete pod -l app=mint --timeout 120s
