# fails: a name that belongs to no stall is not found
# If the host of the fish does not fit, a rule without a host fits always.
kubectl -n market patch ingress fish --type json -p '[{"op":"remove","path":"/spec/rules/0/host"}]'
kubectl -n market patch service cheese --type json -p '[{"op":"replace","path":"/spec/ports/0/targetPort","value":8080}]'
kubectl -n market patch deployment flowers --type json \
  -p '[{"op":"replace","path":"/spec/template/spec/containers/0/readinessProbe/httpGet/port","value":8080}]'
kubectl -n market rollout status deployment flowers --timeout 60s
