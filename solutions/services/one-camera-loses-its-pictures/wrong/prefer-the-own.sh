# fails: each camera is served on its own machine
# A cutter on each machine, and a preference for one's own. In an emergency a preference gives way: not one, was said.
kubectl -n arena patch daemonset cutter --type json -p '[{"op":"remove","path":"/spec/template/spec/affinity"}]'
kubectl -n arena rollout status daemonset cutter --timeout 120s
kubectl -n arena patch service cutter \
  -p '{"spec":{"internalTrafficPolicy":"Cluster","trafficDistribution":"PreferSameNode"}}'
