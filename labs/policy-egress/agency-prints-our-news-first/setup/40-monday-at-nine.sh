# The policy comes when the agency's line has long been open.
tries=0
until kubectl -n agency exec stringer -- grep -q . /tmp/heard; do
  tries=$((tries + 1))
  [ $tries -lt 100 ]
  sleep 0.1
done
kubectl apply -f - <<YAML
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: wire
  namespace: newsroom
spec:
  podSelector:
    matchLabels:
      app: wire
  policyTypes: [Ingress]
  ingress:
    - from:
        - podSelector:
            matchLabels:
              app: desk
      ports:
        - port: 7070
YAML
podwalk policy status --wait 10
