kubectl -n buoys patch deployment buoy --type json -p '[{"op":"remove","path":"/spec/template/spec/initContainers"}]'
kubectl -n buoys rollout status deployment buoy --timeout 60s
