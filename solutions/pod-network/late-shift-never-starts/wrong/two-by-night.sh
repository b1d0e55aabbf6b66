# fails: four sorters are ready
# Nobody waits where nobody is asked for.
kubectl -n parcels scale deployment sorter --replicas 2
