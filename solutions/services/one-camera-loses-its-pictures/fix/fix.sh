# A DaemonSet that is confined to no machine runs on every one of them.
kubectl -n arena patch daemonset cutter --type json -p '[{"op":"remove","path":"/spec/template/spec/affinity"}]'
kubectl -n arena rollout status daemonset cutter --timeout 120s
