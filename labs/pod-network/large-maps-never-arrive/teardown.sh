# The tunnel, the wire, the configuration and the devices of Pods as they were; clamps of the segment size are taken away.
for node in "$WORKER" "$WORKER2"; do
  podwalk node "$node" -- sh -eu -c '
    ip link set flannel.1 type vxlan id 1 df unset
    ip link set flannel.1 mtu 1450
    ip link set eth0 mtu 1500
    for name in $(ip netns | cut -d" " -f1); do
      nsenter "--net=/run/netns/$name" ip link set eth0 mtu 1450 2>/dev/null || true
    done
    sed -i "s/\"mtu\": [0-9]*/\"mtu\": 1450/" /etc/cni/net.d/10-flannel.conflist
    iptables -t mangle -S FORWARD | sed -n "/TCPMSS/s/^-A/-D/p" | while read -r rule; do iptables -t mangle $rule; done'
done
