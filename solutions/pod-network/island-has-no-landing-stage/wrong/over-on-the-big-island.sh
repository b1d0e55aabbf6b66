# fails: houses and boats are what they were
# The houses move to where a network is.
kubectl -n island patch deployment house --type merge \
  -p '{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":"'"$WORKER2"'"}}}}}'
kubectl -n island rollout status deployment house --timeout 60s
