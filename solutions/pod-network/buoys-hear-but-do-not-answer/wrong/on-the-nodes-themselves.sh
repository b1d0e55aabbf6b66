# fails: one buoy on each worker
# On the nodes' own network there is no Pod gateway to be wrong about. There is also nothing between a buoy and its node any more.
kubectl -n buoys patch deployment buoy --type json -p '[
  {"op":"add","path":"/spec/template/spec/hostNetwork","value":true},
  {"op":"remove","path":"/spec/template/spec/initContainers"}]'
kubectl -n buoys rollout status deployment buoy --timeout 60s
