# fails: among themselves the huts keep their addresses
# From the node it works, so the hut takes the node's network: it has no address of its own any more.
kubectl -n alpine patch deployment hut-south --type merge -p \
  '{"spec":{"template":{"spec":{"hostNetwork":true,"dnsPolicy":"ClusterFirstWithHostNet"}}}}'
kubectl -n alpine rollout status deployment hut-south --timeout 60s
