# fails: the next renewal is let in as well
# The policy is written for the Pod that is there, with every label that it has. The one of the next renewal has other numbers.
solver() { kubectl -n locksmith get pod -l acme.cert-manager.io/http01-solver=true "$@"; }
until [ -n "$(solver -o name)" ]; do sleep 0.2; done
labels=$(solver -o jsonpath='{.items[0].metadata.labels}')
kubectl apply -f - <<YAML
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: challenges
  namespace: locksmith
spec:
  podSelector:
    matchLabels: $labels
  ingress:
    - from:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: ingress-nginx
YAML
kubectl -n locksmith wait --for=condition=Ready certificate/front-tls --timeout 60s
