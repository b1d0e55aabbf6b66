# A weight is a share of the sum: so many of classic to one of mint.
kubectl -n lemonade patch httproute orders --type json -p "[
  {\"op\":\"replace\",\"path\":\"/spec/rules/1/backendRefs/0/weight\",\"value\":$LAB_GLASSES},
  {\"op\":\"replace\",\"path\":\"/spec/rules/1/backendRefs/1/weight\",\"value\":1}]"
kubectl -n lemonade wait httproute orders --timeout 30s --for=jsonpath='{.status.parents[0].conditions[0].observedGeneration}'="$(
  kubectl -n lemonade get httproute orders -o jsonpath='{.metadata.generation}')"
