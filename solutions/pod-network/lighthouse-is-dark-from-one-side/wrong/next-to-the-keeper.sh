# fails: everybody stands where they stood
# On one node with the keeper the lamps need no route at all. But there is no rock there.
kubectl -n lighthouse patch deployment lamp -p '{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":"'"$WORKER"'"}}}}}'
kubectl -n lighthouse rollout status deployment lamp --timeout 60s
