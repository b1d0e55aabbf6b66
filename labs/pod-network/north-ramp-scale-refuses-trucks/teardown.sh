# The network list as flannel wrote it, whatever became of it. The Pods with ports go first: whoever plugged them in
# takes their rules away.
kubectl -n quarry delete deployment --all --ignore-not-found >/dev/null
kubectl -n quarry delete pod --all --grace-period=1 --ignore-not-found >/dev/null
cidr=$(kubectl get node "$WORKER" -o jsonpath='{.spec.podCIDR}')
mtu=$(podwalk node "$WORKER" -- cat /sys/class/net/flannel.1/mtu)
podwalk node "$WORKER" -- sh -c 'cat > /etc/cni/net.d/new.temp; mv /etc/cni/net.d/new.temp /etc/cni/net.d/10-flannel.conflist
  find /etc/cni/net.d -type f ! -name 10-flannel.conflist -delete' <<JSON
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
# A rule that the learner may have written by hand, and the chains that portmap leaves behind where nobody uses them.
for node in "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- sh -c 'drop() { "$@" 2>/dev/null || true; }
    iptables -t nat -S PREROUTING | sed -n "s/^-A \(.*-j DNAT.*\)/-D \1/p" |
      while read -r rule; do drop iptables -t nat $rule; done
    iptables -t nat -S | grep -q "^-N CNI-DN-" && exit 0
    drop iptables -t nat -D PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
    drop iptables -t nat -D OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
    drop iptables -t nat -D POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ
    for chain in DNAT MASQ SETMARK; do
      drop iptables -t nat -F "CNI-HOSTPORT-$chain"
      drop iptables -t nat -X "CNI-HOSTPORT-$chain"
    done'
done
