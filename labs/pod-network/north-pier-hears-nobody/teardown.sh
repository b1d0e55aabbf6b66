# The mesh of all with all, as calico-node found it; no numbers or routes of the learner's.
kubectl apply --server-side --force-conflicts --field-manager podwalk-lab -f - >/dev/null <<'YAML'
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
      nodeToNodeMeshEnabled: true
  bgppeers.yaml: ""
YAML
for node in "$CONTROL_PLANE" "$WORKER" "$WORKER2"; do
  kubectl annotate node "$node" projectcalico.org/ASNumber- >/dev/null
  podwalk node "$node" -- sh -c 'ip route | grep "^10\.244\..* via " | grep -v "proto bird" |
    while read -r route; do ip route del $route; done'
done
for node in "$CONTROL_PLANE" "$WORKER" "$WORKER2"; do
  i=0
  until [ "$(podwalk node "$node" -- birdc show protocols | grep -c '^Mesh_.*Established')" = 2 ] || [ $i -ge 150 ]; do
    i=$((i + 1))
    sleep 0.1
  done
done
