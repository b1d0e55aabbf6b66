# also right: no list of one's own at all; the kubelet writes what every other Pod has.
kubectl -n pharmacy patch deployment counter --type json -p '[
  {"op":"remove","path":"/spec/template/spec/dnsConfig"},
  {"op":"replace","path":"/spec/template/spec/dnsPolicy","value":"ClusterFirst"}]'
kubectl -n pharmacy rollout status deployment counter --timeout 120s
