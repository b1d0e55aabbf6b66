kubectl -n dike patch deployment reader \
  -p '{"spec":{"template":{"spec":{"hostNetwork":false,"dnsPolicy":"ClusterFirst"}}}}'
kubectl -n dike rollout status deployment reader --timeout 120s
