# also right: the rule described by what it says, without its number.
range=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER" -- ip rule del to "$range" blackhole
