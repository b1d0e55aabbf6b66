# also right: the answer of a challenge is for the whole world, so everybody may fetch it; it is on a port of its own.
kubectl apply -f - <<'YAML'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: challenges
  namespace: locksmith
spec:
  podSelector:
    matchExpressions:
      - key: acme.cert-manager.io/http01-solver
        operator: Exists
  ingress:
    - ports:
        - port: 8089
YAML
kubectl -n locksmith wait --for=create certificate/front-tls --timeout 60s
kubectl -n locksmith wait --for=condition=Ready certificate/front-tls --timeout 120s
