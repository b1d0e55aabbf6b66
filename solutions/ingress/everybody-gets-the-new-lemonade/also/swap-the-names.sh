# also right: the numbers stay where they are, and the drinks change places.
kubectl -n lemonade patch httproute orders --type json -p '[
  {"op":"replace","path":"/spec/rules/1/backendRefs/0/name","value":"mint"},
  {"op":"replace","path":"/spec/rules/1/backendRefs/1/name","value":"classic"}]'
kubectl -n lemonade wait httproute orders --timeout 30s --for=jsonpath='{.status.parents[0].conditions[0].observedGeneration}'="$(
  kubectl -n lemonade get httproute orders -o jsonpath='{.metadata.generation}')"
