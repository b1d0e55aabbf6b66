# fails: a Pod made tomorrow is found as well
# The list of addresses is empty, so somebody writes it: every call succeeds, until the first Pod is replaced.
pods=$(kubectl -n canteen get pod -l app=menu,component=server -o jsonpath='{range .items[*]}- addresses: [{.status.podIP}]{"\n"}{end}')
kubectl apply -f - <<YAML
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: menu-by-hand
  namespace: canteen
  labels:
    kubernetes.io/service-name: menu
addressType: IPv4
ports:
- port: 8080
endpoints:
$pods
YAML
