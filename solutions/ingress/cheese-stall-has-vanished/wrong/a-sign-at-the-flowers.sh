# fails: the stall has its own sign at the gate
# The flowers are let in, so a second route stands in their namespace, with a grant. Now they own the sign of the cheese.
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
    name: cheese
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: cheese
  namespace: flowers
spec:
  parentRefs:
  - name: gate
    namespace: markethall
  hostnames: [cheese.market.example]
  rules:
  - backendRefs:
    - name: cheese
      namespace: cheese
      port: 80
YAML
