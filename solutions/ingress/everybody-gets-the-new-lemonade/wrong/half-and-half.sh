# fails: mint is as rare as agreed
# Without weights every backend has weight 1. Better than before, and not what was agreed.
kubectl -n lemonade patch httproute orders --type json -p "[
  {\"op\":\"replace\",\"path\":\"/spec/rules/1/backendRefs/0/weight\",\"value\":1},
  {\"op\":\"replace\",\"path\":\"/spec/rules/1/backendRefs/1/weight\",\"value\":1}]"
