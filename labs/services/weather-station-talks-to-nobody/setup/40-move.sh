# The collector once lived at another address. What is left of that is one line in the memory of the station's node: the
# station's flow, noted as it was then. It was written while no proxy looked, so none has taken it away.
node=$(kubectl -n weather get pod station -o jsonpath='{.spec.nodeName}')
station=$(kubectl -n weather get pod station -o jsonpath='{.status.podIP}')
collector=$(kubectl -n weather get pod -l app=collector -o jsonpath='{.items[0].status.podIP}')
service=$(kubectl -n weather get service collector -o jsonpath='{.spec.clusterIP}')
# Addresses are given out in a circle: the last one before the collector's that no Pod has is nobody's for long.
taken=$(kubectl get pods -A -o jsonpath='{range .items[*]}{.status.podIP}{"\n"}{end}')
number=${collector##*.}
while :; do
  number=$((number - 1))
  [ "$number" -gt 1 ] || number=254
  gone="${collector%.*}.$number"
  echo "$taken" | grep -qxF "$gone" || break
done
# A station that is Ready has not spoken yet; and what it says before the rules of the Service are there, kube-proxy takes
# out of the kernel's memory with the first endpoint. With the second report that is answered, both are behind it.
kubectl -n weather exec station -- bash -c '
  for n in $(seq 300); do
    if read -r report by < /tmp/heard && [ "$by" != nobody ]; then
      first=${first:-$report}
      [ "$report" = "$first" ] || exit 0
    fi
    sleep 0.1
  done 2>/dev/null
  echo "the station is not heard" >&2; exit 1'
podwalk node "$node" -- sh -eu -c '
  station=$1 service=$2 gone=$3
  port=$(conntrack -L -p udp -s "$station" -d "$service" --dport 5140 2>/dev/null |
    grep -o "sport=[0-9]*" | head -n 1 | cut -d= -f2)
  n=0
  # The station speaks several times a second: between the two commands its flow may come back as it was.
  until conntrack -L -p udp -s "$station" -d "$service" --sport "$port" --dport 5140 2>/dev/null | grep -q "src=$gone "; do
    n=$((n + 1)); [ "$n" -lt 50 ] || { echo "the flow of the station does not take" >&2; exit 1; }
    conntrack -D -p udp -s "$station" -d "$service" --sport "$port" --dport 5140 >/dev/null 2>&1 || true
    conntrack -I -p udp -t 120 -s "$station" -d "$service" --sport "$port" --dport 5140 \
      --dst-nat "$gone:8081" >/dev/null 2>&1 || true
  done
' sh "$station" "$service" "$gone"
