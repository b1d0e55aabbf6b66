# fails: the scale of tomorrow is found on its port as well
# The rule that is missing, by hand, to the address of today's Pod. Every truck is weighed, until the Pod is replaced.
address=$(kubectl -n quarry get pod -l app=north -o jsonpath='{.items[0].status.podIP}')
podwalk node "$WORKER" -- iptables -t nat -A PREROUTING -p tcp --dport "$LAB_PORT" -j DNAT --to-destination "$address:8080"
