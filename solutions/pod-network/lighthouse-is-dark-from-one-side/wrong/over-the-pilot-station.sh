# fails: the whole range is reached by the straight way
# The pilot sees everybody, so the keeper's packets go over the pilot's node. One node more that can break, twice the way.
range=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
pilot=$(kubectl get node "$CONTROL_PLANE" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER" -- sh -c 'ip rule add to "$1" lookup 99 pref 1
  set -- "$1" $(ip route show "$2"); range=$1; shift 2; ip route replace "$range" "$@" table 99' sh "$range" "$pilot"
