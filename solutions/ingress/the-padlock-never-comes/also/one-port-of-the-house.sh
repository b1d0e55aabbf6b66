# also right: the front door gets to port 8089 of whoever is in the house; nobody but solvers listens there.
kubectl apply -f - <<'YAML'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: challenges
  namespace: locksmith
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress:
    - from:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: ingress-nginx
          podSelector:
            matchLabels:
              app.kubernetes.io/name: ingress-nginx
      ports:
        - port: 8089
YAML
kubectl -n locksmith wait --for=create certificate/front-tls --timeout 60s
kubectl -n locksmith wait --for=condition=Ready certificate/front-tls --timeout 120s
