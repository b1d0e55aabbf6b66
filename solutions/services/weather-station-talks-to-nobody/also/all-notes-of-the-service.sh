# also right: every UDP flow to the Service, on every node: coarser, and each of them only asks the rules once more.
service=$(kubectl -n weather get service collector -o jsonpath='{.spec.clusterIP}')
for node in "$CONTROL_PLANE" "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- sh -c "conntrack -D -p udp -d $service || true"
done
