# also right: the list of the south node, with the addresses of this one, and the Pod deleted by hand.
here=$(kubectl get node "$WORKER" -o jsonpath='{.spec.podCIDR}')
there=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER2" -- cat /etc/cni/net.d/10-flannel.conflist | sed "s#$there#$here#" |
  podwalk node "$WORKER" -- sh -c 'cat > /etc/cni/net.d/10-flannel.conflist'
kubectl -n quarry delete pod -l app=north
kubectl -n quarry rollout status deployment north --timeout 60s
