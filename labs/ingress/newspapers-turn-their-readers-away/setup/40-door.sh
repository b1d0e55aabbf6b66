# The door of the house, as somebody "evened it out" on Friday.
kubectl -n ingress-nginx patch service ingress-nginx-controller --type merge \
  -p '{"spec":{"externalTrafficPolicy":"Cluster","internalTrafficPolicy":"Cluster"}}'
