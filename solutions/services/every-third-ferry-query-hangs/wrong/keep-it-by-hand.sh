# fails: a Pod made tomorrow is found as well
# Take the list over: no selector, one slice by hand with the two good addresses. It is right until the next rollout.
kubectl -n ferryport patch service timetable --type json -p '[{"op":"remove","path":"/spec/selector"}]'
pods=$(kubectl -n ferryport get pod -l app=timetable -o jsonpath='{range .items[*]}- addresses: [{.status.podIP}]{"\n"}{end}')
kubectl -n ferryport delete endpointslice -l kubernetes.io/service-name=timetable
kubectl apply -f - <<YAML
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: timetable-by-hand
  namespace: ferryport
  labels:
    kubernetes.io/service-name: timetable
addressType: IPv4
ports:
- port: 8080
endpoints:
$pods
YAML
