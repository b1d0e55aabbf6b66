# The keeper's node throws away what is for the Pods of the lamps' node. It does so by a rule, before any table of routes
# is looked into.
range=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER" -- ip rule add to "$range" blackhole pref "$LAB_PREF"
