# fails: the florist still says by herself whether she is open
# The probe keeps the florist off the list, so away with the probe: from now on she is open at night, too.
kubectl -n market patch ingress fish --type json -p '[{"op":"replace","path":"/spec/rules/0/host","value":"fish.stall.example"}]'
kubectl -n market patch service cheese --type json -p '[{"op":"replace","path":"/spec/ports/0/targetPort","value":8080}]'
kubectl -n market patch deployment flowers --type json \
  -p '[{"op":"remove","path":"/spec/template/spec/containers/0/readinessProbe"}]'
kubectl -n market rollout status deployment flowers --timeout 60s
