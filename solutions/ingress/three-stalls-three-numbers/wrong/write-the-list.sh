# fails: the next Pod of each stall is found as well
# The list of the cheese has the wrong port, so there is a second list beside it; nginx tries one, then the other.
kubectl -n market patch ingress fish --type json -p '[{"op":"replace","path":"/spec/rules/0/host","value":"fish.stall.example"}]'
kubectl -n market patch deployment flowers --type json \
  -p '[{"op":"replace","path":"/spec/template/spec/containers/0/readinessProbe/httpGet/port","value":8080}]'
kubectl -n market rollout status deployment flowers --timeout 60s
kubectl apply -f - <<YAML
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: cheese-by-hand
  namespace: market
  labels:
    kubernetes.io/service-name: cheese
addressType: IPv4
ports:
- port: 8080
endpoints:
$(kubectl -n market get pod -l app=cheese -o jsonpath='{range .items[*]}- addresses: [{.status.podIP}]{"\n"}{end}')
YAML
