# fails: the keeper sees both lamps
# An exception for the address that was tried. The other lamp stays dark.
address=$(kubectl -n lighthouse get pod -l app=lamp -o jsonpath='{.items[0].status.podIP}')
podwalk node "$WORKER" -- ip rule add to "$address/32" lookup main pref 1
