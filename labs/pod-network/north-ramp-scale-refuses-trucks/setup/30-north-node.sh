# A network list from somebody's notes: a bridge, addresses, and nothing after it. Then the Pod as it is made with that.
cidr=$(kubectl get node "$WORKER" -o jsonpath='{.spec.podCIDR}')
mtu=$(podwalk node "$WORKER" -- cat /sys/class/net/flannel.1/mtu)
podwalk node "$WORKER" -- sh -c 'cat > /etc/cni/net.d/new.temp; mv /etc/cni/net.d/new.temp /etc/cni/net.d/10-flannel.conflist' <<JSON
{
  "name": "cbr0",
  "cniVersion": "1.0.0",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "cni0",
      "isGateway": true,
      "isDefaultGateway": true,
      "hairpinMode": true,
      "ipMasq": false,
      "mtu": $mtu,
      "ipam": {
        "type": "host-local",
        "ranges": [[{"subnet": "$cidr"}]],
        "routes": [{"dst": "10.244.0.0/16"}],
        "dataDir": "/var/lib/cni/networks"
      }
    }
  ]
}
JSON
kubectl -n quarry delete pod -l app=north --grace-period=0 --force >/dev/null 2>&1
# The Deployment may not have noticed yet, so its status says nothing.
i=0
until [ -n "$(kubectl -n quarry get pod -l app=north -o name)" ] || [ $i -ge 200 ]; do
  i=$((i + 1))
  sleep 0.1
done
kubectl -n quarry wait --for=condition=Ready pod -l app=north --timeout 60s >/dev/null
