# also right: whatever was reserved before this week; every Pod of the node is younger.
podwalk node "$WORKER2" -- find /var/lib/cni/networks/cbr0 -name '10.*' -mtime +7 -delete
kubectl -n parcels rollout status deployment sorter --timeout 60s
