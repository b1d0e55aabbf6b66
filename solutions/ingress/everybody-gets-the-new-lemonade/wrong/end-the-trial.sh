# fails: mint is as rare as agreed
# Weight 0 means never. No complaint, no mint, and nothing learned about it.
kubectl -n lemonade patch httproute orders --type json -p "[
  {\"op\":\"replace\",\"path\":\"/spec/rules/1/backendRefs/0/weight\",\"value\":1},
  {\"op\":\"replace\",\"path\":\"/spec/rules/1/backendRefs/1/weight\",\"value\":0}]"
kubectl -n lemonade wait httproute orders --timeout 30s --for=jsonpath='{.status.parents[0].conditions[0].observedGeneration}'="$(
  kubectl -n lemonade get httproute orders -o jsonpath='{.metadata.generation}')"
