# also right: only the proportion counts, so a hundred times as much of both is the same.
kubectl -n lemonade patch httproute orders --type json -p "[
  {\"op\":\"replace\",\"path\":\"/spec/rules/1/backendRefs/0/weight\",\"value\":$((LAB_GLASSES * 100))},
  {\"op\":\"replace\",\"path\":\"/spec/rules/1/backendRefs/1/weight\",\"value\":100}]"
kubectl -n lemonade wait httproute orders --timeout 30s --for=jsonpath='{.status.parents[0].conditions[0].observedGeneration}'="$(
  kubectl -n lemonade get httproute orders -o jsonpath='{.metadata.generation}')"
