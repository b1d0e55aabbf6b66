# The list of the other worker with this node's range: that is what flannel wrote here.
here=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
there=$(kubectl get node "$WORKER" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER" -- cat /etc/cni/net.d/10-flannel.conflist | sed "s#$there#$here#" |
  podwalk node "$WORKER2" -- sh -c 'cd /etc/cni/net.d; cat > new.temp; mv new.temp 10-flannel.conflist
    find . -type f ! -name 10-flannel.conflist -delete'
kubectl wait node "$WORKER2" --for condition=Ready --timeout 30s >/dev/null
