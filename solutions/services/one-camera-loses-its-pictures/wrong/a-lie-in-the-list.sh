# fails: each camera is served on its own machine
# A slice by hand says of the north cutter that it runs on the south machine. kube-proxy believes what is written.
pod=$(kubectl -n arena get pod -l app=cutter -o jsonpath='{.items[0].status.podIP}')
kubectl apply -f - <<YAML
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: cutter-south
  namespace: arena
  labels:
    kubernetes.io/service-name: cutter
addressType: IPv4
ports:
- port: 8080
endpoints:
- addresses: [$pod]
  nodeName: $WORKER2
YAML
