# also right: without its route the ghost hears nobody. It still haunts the node's memory.
address=$(kubectl -n opera get pod -l app=programme -o jsonpath='{.items[0].status.podIP}')
podwalk node "$WORKER2" -- ip route del "$address/32"
