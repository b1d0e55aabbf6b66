# The comma. The runtime watches the folder, so that nobody has to be told.
podwalk node "$WORKER2" -- sed -i 's/"mtu": 1400$/"mtu": 1400,/' /etc/cni/net.d/10-flannel.conflist
kubectl wait node "$WORKER2" --for condition=Ready --timeout 30s
kubectl -n greenhouse rollout status deployment sprinkler --timeout 60s
