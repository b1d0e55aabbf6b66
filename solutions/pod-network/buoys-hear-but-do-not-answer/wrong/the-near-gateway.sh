# fails: the station hears both buoys
# The right address instead of the wrong one: that of the station's node. It is right on one node of two.
mac=$(podwalk node "$WORKER" -- cat /sys/class/net/cni0/address)
kubectl -n buoys patch configmap before-launch --type merge \
  -p '{"data":{"pin.sh":"ip neigh replace $(ip -4 route show default | cut -d\" \" -f3) lladdr '"$mac"' dev eth0 nud permanent\n"}}'
kubectl -n buoys rollout restart deployment buoy
kubectl -n buoys rollout status deployment buoy --timeout 60s
