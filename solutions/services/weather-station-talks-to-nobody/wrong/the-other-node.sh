# fails: the station hears the collector
# The notes on the node of the collector, since that is what moved. But the choice is made, and noted, where a call begins.
node=$(kubectl -n weather get pod -l app=collector -o jsonpath='{.items[0].spec.nodeName}')
podwalk node "$node" -- sh -c 'conntrack -D -p udp --dport 5140 || true; conntrack -D -p udp --dport 8081 || true'
