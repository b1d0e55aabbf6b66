# fails: the book of addresses names the living and nobody else
# Two addresses for two Pods: tonight is saved. Tomorrow somebody scales to five.
podwalk node "$WORKER2" -- sh -c 'cd /var/lib/cni/networks/cbr0 && rm $(find . -name "10.*" -mtime +7 | head -n 2)'
kubectl -n parcels rollout status deployment sorter --timeout 60s
