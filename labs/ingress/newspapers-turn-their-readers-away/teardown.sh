# The door is as it came with the add-on, whatever the learner has made of it.
if kubectl -n ingress-nginx get service ingress-nginx-controller >/dev/null 2>&1; then
  kubectl -n ingress-nginx patch service ingress-nginx-controller --type merge \
    -p '{"spec":{"externalTrafficPolicy":"Cluster","internalTrafficPolicy":"Cluster"}}'
fi
