# No mesh any more, but a list of peers; in one of them two digits have changed places.
peers=""
for pair in "control-plane $CONTROL_PLANE_IP 64512" "worker $WORKER_IP 64512" "worker2 $WORKER2_IP $LAB_DIGITS"; do
  set -- $pair
  peers="$peers
    ---
    apiVersion: projectcalico.org/v3
    kind: BGPPeer
    metadata:
      name: to-$1
    spec:
      peerIP: $2
      asNumber: $3"
done
kubectl apply --server-side --force-conflicts --field-manager podwalk-lab -f - >/dev/null <<YAML
apiVersion: v1
kind: ConfigMap
metadata:
  name: calico-config
  namespace: kube-system
data:
  bgpconfiguration.yaml: |
    apiVersion: projectcalico.org/v3
    kind: BGPConfiguration
    metadata:
      name: default
    spec:
      asNumber: 64512
      nodeToNodeMeshEnabled: false
  bgppeers.yaml: |$peers
YAML
# The fault is there when both ends have said so.
for node in "$WORKER" "$WORKER2"; do
  i=0
  until podwalk node "$node" -- birdc show protocols | grep -q 'Bad peer AS' || [ $i -ge 60 ]; do
    i=$((i + 1))
    sleep 0.1
  done
done
