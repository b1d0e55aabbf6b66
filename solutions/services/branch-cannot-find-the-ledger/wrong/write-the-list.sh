# fails: the name leads to the Service by itself
# A Service of the same name beside the branch, with the other one's address written into its list.
address=$(kubectl -n accounts get service ledger -o jsonpath='{.spec.clusterIP}')
kubectl apply -f - <<YAML
apiVersion: v1
kind: Service
metadata:
  name: ledger
  namespace: branch
spec:
  ports:
  - port: 80
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: ledger-by-hand
  namespace: branch
  labels:
    kubernetes.io/service-name: ledger
addressType: IPv4
ports:
- port: 8080
endpoints:
$(kubectl -n accounts get pod -l app=ledger -o jsonpath='{range .items[*]}- addresses: [{.status.podIP}]{"\n"}{end}')
YAML
