# fails: the drawers were left alone
# Let the attic's Service lead to the drawer of the post: the call still goes upstairs, and comes down by the back stairs.
kubectl -n attic patch service stamps --type json -p '[{"op":"remove","path":"/spec/selector"}]'
kubectl -n attic delete endpointslice -l kubernetes.io/service-name=stamps
kubectl apply -f - <<YAML
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: stamps-by-hand
  namespace: attic
  labels:
    kubernetes.io/service-name: stamps
addressType: IPv4
ports:
- port: 8080
endpoints:
- addresses: [$(kubectl -n post get pod stamps -o jsonpath='{.status.podIP}')]
YAML
