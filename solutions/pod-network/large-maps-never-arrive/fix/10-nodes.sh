for node in "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- ip link set flannel.1 mtu 1450
  podwalk node "$node" -- sed -i 's/"mtu": 1500/"mtu": 1450/' /etc/cni/net.d/10-flannel.conflist
done
kubectl -n cartography rollout restart deployment atlas reader
kubectl -n cartography rollout status deployment atlas --timeout 60s
kubectl -n cartography rollout status deployment reader --timeout 60s
