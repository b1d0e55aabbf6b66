# fails: everybody stands where they stood
# On one node there is no tunnel between them. The reading room is now in the store, and the next room has the same trouble.
kubectl -n cartography patch deployment reader -p '{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":"'"$WORKER2"'"}}}}}'
kubectl -n cartography rollout status deployment reader --timeout 60s
