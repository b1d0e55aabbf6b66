# fails: the pages of the others are still there
# A grant for all, and then the pages away that show too much. Until the next intern writes one.
kubectl apply -f - <<YAML
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata:
  name: all
  namespace: observatory
spec:
  from:
  - group: gateway.networking.k8s.io
    kind: HTTPRoute
    namespace: pressroom
  to:
  - group: ""
    kind: Service
YAML
kubectl -n pressroom delete httproute sky
