# fails: trucks at the north ramp get an answer
# The list is right now, and nobody reads it: the Pod was plugged in by the old one and keeps what it got.
here=$(kubectl get node "$WORKER" -o jsonpath='{.spec.podCIDR}')
there=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER2" -- cat /etc/cni/net.d/10-flannel.conflist | sed "s#$there#$here#" |
  podwalk node "$WORKER" -- sh -c 'cat > /etc/cni/net.d/10-flannel.conflist'
