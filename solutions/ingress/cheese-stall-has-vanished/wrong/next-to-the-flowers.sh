# fails: the other stalls are as they were
# The route of the flowers is accepted, so the cheese becomes a second name of theirs, with a grant for its Service.
kubectl apply -f - <<YAML
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata:
  name: flowers
  namespace: cheese
spec:
  from:
  - group: gateway.networking.k8s.io
    kind: HTTPRoute
    namespace: flowers
  to:
  - group: ""
    kind: Service
YAML
kubectl -n flowers patch httproute flowers --type json -p '[
  {"op":"add","path":"/spec/hostnames/-","value":"cheese.market.example"},
  {"op":"add","path":"/spec/rules/0/backendRefs/-","value":{"name":"cheese","namespace":"cheese","port":80}}]'
