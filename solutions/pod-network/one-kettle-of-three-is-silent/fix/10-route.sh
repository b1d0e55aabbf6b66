# Without the single route the one for the whole range holds again: through the overlay, to the node of the kettles.
address=$(kubectl -n brewery get pod "kettle-$LAB_KETTLE" -o jsonpath='{.status.podIP}')
podwalk node "$WORKER" -- ip route del "$address/32"
