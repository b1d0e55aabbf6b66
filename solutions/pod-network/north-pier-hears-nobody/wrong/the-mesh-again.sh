# fails: listed peers, and one number for all nodes
# As it was before noon: all with all. It works, and next week no router of the network people can join.
kubectl -n kube-system get configmap calico-config -o yaml |
  sed 's/nodeToNodeMeshEnabled: false/nodeToNodeMeshEnabled: true/' | kubectl replace -f -
for node in "$CONTROL_PLANE" "$WORKER" "$WORKER2"; do
  i=0
  until [ "$(podwalk node "$node" -- birdc show protocols | grep -c Established)" = 2 ] || [ $i -ge 200 ]; do
    i=$((i + 1))
    sleep 0.1
  done
done
