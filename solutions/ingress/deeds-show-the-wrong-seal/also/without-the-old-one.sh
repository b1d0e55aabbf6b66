# also right: the route that could never be used is taken away, and the new one names its listener.
kubectl -n sealroom delete httproute deeds
kubectl apply -f - <<YAML
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata:
  name: deeds-sealed
  namespace: sealroom
spec:
  parentRefs:
    - name: counter
      sectionName: sealed
  hostnames:
    - "deeds.notary.example"
  rules:
    - backendRefs:
        - name: deeds
          port: 443
YAML
