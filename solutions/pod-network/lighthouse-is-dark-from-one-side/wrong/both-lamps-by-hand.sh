# fails: the whole range is reached by the straight way
# An exception for each lamp there is. The next one gets another address, and is dark again.
for address in $(kubectl -n lighthouse get pod -l app=lamp -o jsonpath='{.items[*].status.podIP}'); do
  podwalk node "$WORKER" -- ip rule add to "$address/32" lookup main pref 1
done
