# fails: both lines answer thirty listeners in a row
# The player moves to the silent machine. Now the other one is silent, and the deck is unplugged.
kubectl -n radio patch deployment player --type merge \
  -p '{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":"'"$WORKER2"'"}}}}}'
kubectl -n radio rollout status deployment player --timeout 120s
