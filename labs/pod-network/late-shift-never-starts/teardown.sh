# Without the reservations that the lab made, with those of Pods that were there before, and the network list as it was: that of the other worker with this node's range.
here=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
there=$(kubectl get node "$WORKER" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER" -- cat /etc/cni/net.d/10-flannel.conflist | sed "s#$there#$here#" |
  podwalk node "$WORKER2" -- sh -eu -c '
    cd /etc/cni/net.d
    cat > new.temp
    mv new.temp 10-flannel.conflist
    find /var/lib/cni/networks/cbr0 -type f -name "10.*" -mtime +100 -delete'
kubectl get pod -A --field-selector "spec.nodeName=$WORKER2" \
  -o jsonpath='{range .items[?(@.status.phase=="Running")]}{.status.podIP}{"\n"}{end}' |
  podwalk node "$WORKER2" -- sh -eu -c '
    while read -r address; do
      [ ! -e "/run/reservations/$address" ] || [ -e "/var/lib/cni/networks/cbr0/$address" ] ||
        cp -p "/run/reservations/$address" /var/lib/cni/networks/cbr0/
    done
    rm -rf /run/reservations'
