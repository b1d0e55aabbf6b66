# also right: one peering that lists no addresses and no numbers: all nodes with all nodes, and no mesh.
kubectl -n kube-system patch configmap calico-config --type merge -p '{"data": {"bgppeers.yaml":
  "apiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata:\n  name: nodes\nspec:\n  nodeSelector: all()\n  peerSelector: all()\n"}}'
for node in "$CONTROL_PLANE" "$WORKER" "$WORKER2"; do
  i=0
  until [ "$(podwalk node "$node" -- birdc show protocols | grep -c Established)" = 2 ] || [ $i -ge 200 ]; do
    i=$((i + 1))
    sleep 0.1
  done
done
