# fails: a name follows its lamp
# An EndpointSlice by hand, with the host names in it. DNS believes it, until a lamp gets another address.
kubectl apply -f - <<YAML
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: lamps-by-hand
  namespace: harbour
  labels:
    kubernetes.io/service-name: lamps
addressType: IPv4
ports:
- name: http
  port: 8080
endpoints:
$(kubectl -n harbour get pod -l app=lamp \
  -o jsonpath='{range .items[*]}- addresses: [{.status.podIP}]{"\n"}  hostname: {.metadata.name}{"\n"}{end}')
YAML
