# fails: the agency hears nothing any more
# Perhaps the policy did not take. Down with it and up again: it judges every call, and nobody has called.
spec=$(kubectl -n newsroom get networkpolicy wire -o jsonpath='{.spec}')
kubectl -n newsroom delete networkpolicy wire
kubectl apply -f - <<YAML
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: wire, namespace: newsroom}
spec: $spec
YAML
podwalk policy status --wait 10
