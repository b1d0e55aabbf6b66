# fails: the book of addresses names the living and nobody else
# All of it goes, and everything starts at once. The Pods that live are in no book now: somebody will get their address.
podwalk node "$WORKER2" -- sh -c 'rm /var/lib/cni/networks/cbr0/10.*'
kubectl -n parcels rollout status deployment sorter --timeout 60s
