# fails: the page asks the observatory's own Service
# A Service of our own, and the address of Astrid's Pod written behind it: past the permission, and right until tomorrow.
address=$(kubectl -n observatory get pod -l app=forecast -o jsonpath='{.items[0].status.podIP}')
kubectl apply -f - <<YAML
apiVersion: v1
kind: Service
metadata:
  name: forecast
  namespace: pressroom
spec:
  ports:
  - port: 80
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: forecast-by-hand
  namespace: pressroom
  labels:
    kubernetes.io/service-name: forecast
addressType: IPv4
ports:
- port: 8080
endpoints:
- addresses: [$address]
YAML
kubectl -n pressroom patch httproute paper --type json \
  -p '[{"op":"replace","path":"/spec/rules/1/backendRefs/0","value":{"name":"forecast","port":80}}]'
