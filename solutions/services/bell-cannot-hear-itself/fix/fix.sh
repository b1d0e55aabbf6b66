# First what Pods are made from, on every node where one may land; then the Pod.
for node in "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- sed -i 's/"hairpinMode": false/"hairpinMode": true/' /etc/cni/net.d/10-flannel.conflist
done
kubectl -n belfry rollout restart deployment bell
kubectl -n belfry rollout status deployment bell --timeout 120s
