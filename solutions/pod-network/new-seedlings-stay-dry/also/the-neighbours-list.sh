# also right: the list of the other worker, with the range of this node, and the packets as large as before.
here=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
there=$(kubectl get node "$WORKER" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER" -- cat /etc/cni/net.d/10-flannel.conflist | sed "s#$there#$here#" |
  podwalk node "$WORKER2" -- sh -c 'rm /etc/cni/net.d/*; cat > /etc/cni/net.d/05-bed-two.conflist'
kubectl -n greenhouse rollout status deployment sprinkler --timeout 60s
