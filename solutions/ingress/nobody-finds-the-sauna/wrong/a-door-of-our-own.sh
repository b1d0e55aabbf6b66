# fails: guests reach the sauna by its name
# A second Gateway, all for the sauna. It has another address, and the name leads to the old one.
kubectl apply -f - <<YAML
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: sauna-door
  namespace: baths
spec:
  gatewayClassName: envoy
  listeners:
    - name: guests
      port: 80
      protocol: HTTP
YAML
kubectl -n baths patch httproute sauna --type json \
  -p '[{"op":"replace","path":"/spec/parentRefs/0","value":{"name":"sauna-door"}}]'
