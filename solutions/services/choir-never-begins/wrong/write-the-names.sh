# fails: a voice that falls ill keeps her name and is not heard
# An EndpointSlice by hand breaks the circle, too: it says ready of everybody, for ever.
kubectl apply -f - <<YAML
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: score-by-hand
  namespace: choir
  labels:
    kubernetes.io/service-name: score
addressType: IPv4
ports:
- name: song
  port: 8080
endpoints:
$(kubectl -n choir get pod -l app=voice \
  -o jsonpath='{range .items[*]}- addresses: [{.status.podIP}]{"\n"}  hostname: {.metadata.name}{"\n"}{end}')
YAML
kubectl -n choir wait --for=condition=Ready pod -l app=voice --timeout 60s
