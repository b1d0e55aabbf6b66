# The missing plugin goes to the end of the list: it works on the result of the ones before it.
cidr=$(kubectl get node "$WORKER" -o jsonpath='{.spec.podCIDR}')
mtu=$(podwalk node "$WORKER" -- cat /sys/class/net/flannel.1/mtu)
podwalk node "$WORKER" -- sh -c 'cat > /etc/cni/net.d/10-flannel.conflist' <<JSON
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
    },
    {
      "type": "portmap",
      "capabilities": {"portMappings": true}
    }
  ]
}
JSON
