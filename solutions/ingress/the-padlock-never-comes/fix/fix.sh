kubectl apply -f - <<'YAML'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: challenges
  namespace: locksmith
spec:
  podSelector:
    matchLabels:
      acme.cert-manager.io/http01-solver: "true"
  policyTypes: [Ingress]
  ingress:
    - from:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: ingress-nginx
      ports:
        - port: 8089
YAML
kubectl -n locksmith wait --for=create certificate/front-tls --timeout 60s
kubectl -n locksmith wait --for=condition=Ready certificate/front-tls --timeout 120s
