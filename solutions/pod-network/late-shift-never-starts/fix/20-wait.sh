kubectl -n parcels rollout status deployment sorter --timeout 60s
