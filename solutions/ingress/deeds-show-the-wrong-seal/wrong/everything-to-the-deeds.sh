# fails: all other names lead to the wills
# The wills' wildcard is theirs no more: the deeds answer for every name but the wills' own.
kubectl -n sealroom patch tlsroute wills --type json \
  -p '[{"op":"replace","path":"/spec/hostnames","value":["wills.notary.example"]}]'
kubectl apply -f - <<YAML
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata:
  name: deeds
  namespace: sealroom
spec:
  parentRefs:
    - name: counter
  hostnames:
    - "*.notary.example"
  rules:
    - backendRefs:
        - name: deeds
          port: 443
YAML
