# fails: everybody stands where they stood
# On the other worker nobody haunts. The ghost keeps the old house, the address and the route.
kubectl -n opera patch deployment programme -p '{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":"'"$WORKER"'"}}}}}'
kubectl -n opera rollout status deployment programme --timeout 60s
