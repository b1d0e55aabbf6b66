# The one note, on the one node. The next packet asks the rules.
node=$(kubectl -n weather get pod station -o jsonpath='{.spec.nodeName}')
station=$(kubectl -n weather get pod station -o jsonpath='{.status.podIP}')
podwalk node "$node" -- conntrack -D -p udp -s "$station" --dport 5140
