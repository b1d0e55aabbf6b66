# fails: four sorters are asked for, beside the printer
# There are addresses on the other node, but no printer.
kubectl -n parcels patch deployment sorter --type merge \
  -p '{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":"'"$WORKER"'"}}}}}'
kubectl -n parcels rollout status deployment sorter --timeout 60s
