# fails: the keeper sees both lamps
# A route is missing, one would think, so it is written once more. It was there before, and nobody gets as far as reading it.
range=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER" -- sh -c 'set -- $(ip route show "$1"); shift; ip route replace "$0" "$@"' "$range" "$range"
podwalk node "$WORKER" -- ip route flush cache
