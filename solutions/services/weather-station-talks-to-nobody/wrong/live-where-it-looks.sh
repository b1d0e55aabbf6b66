# fails: by way of the Service
# Turn it round: let something answer at the address where the packets go. A second translation, for the next one to find.
node=$(kubectl -n weather get pod station -o jsonpath='{.spec.nodeName}')
kubectl -n weather patch service collector -p '{"spec":{"selector":{"app":"nobody"}}}'
station=$(kubectl -n weather get pod station -o jsonpath='{.status.podIP}')
collector=$(kubectl -n weather get pod -l app=collector -o jsonpath='{.items[0].status.podIP}')
service=$(kubectl -n weather get service collector -o jsonpath='{.spec.clusterIP}')
podwalk node "$node" -- sh -eu -c '
  port=$(conntrack -L -p udp -s "$1" -d "$2" --dport 5140 2>/dev/null | grep -o "sport=[0-9]*" | head -n 1 | cut -d= -f2)
  until conntrack -L -p udp -s "$1" -d "$2" --sport "$port" --dport 5140 2>/dev/null | grep -q "src=$3 "; do
    conntrack -D -p udp -s "$1" -d "$2" --sport "$port" --dport 5140 >/dev/null 2>&1 || true
    conntrack -I -p udp -t 120 -s "$1" -d "$2" --sport "$port" --dport 5140 --dst-nat "$3:8081" >/dev/null 2>&1 || true
  done' sh "$station" "$service" "$collector"
