# also right: a bridge instead of single wires, and host-local as the keeper of the addresses.
podwalk node "$WORKER" -- sh -c 'cat > /opt/cni/bin/landing; chmod +x /opt/cni/bin/landing' <<'PLUGIN'
#!/bin/sh
set -eu
config=$(tr -d '\n')
prefix=$(printf '%s' "$config" | sed -n 's/.*"prefix": *"\([^"]*\)".*/\1/p')
keeper() {
  printf '{"cniVersion": "1.0.0", "name": "landing", "type": "landing", "ipam": {"type": "host-local", "ranges": [[
    {"subnet": "%s.0/29", "gateway": "%s.1"}]], "routes": [{"dst": "0.0.0.0/0"}]}}' "$prefix" "$prefix" |
    "${CNI_PATH%%:*}/host-local"
}
case $CNI_COMMAND in
  VERSION) echo '{"cniVersion": "1.0.0", "supportedVersions": ["1.0.0"]}' ;;
  ADD)
    result=$(keeper) || { echo "$result"; exit 1; }
    address=$(printf '%s' "$result" | tr -d ' \n\t' | sed -n 's#.*"address":"\([^"]*\)".*#\1#p')
    if ! ip link show isle0 > /dev/null 2>&1; then
      ip link add isle0 type bridge
      ip address add "$prefix.1/29" dev isle0
      ip link set isle0 up
    fi
    echo 1 > /proc/sys/net/ipv4/ip_forward
    wire=veth$(printf '%s' "$CNI_CONTAINERID" | cut -c1-8)
    ip link add "$wire" type veth peer name "$CNI_IFNAME" netns "$CNI_NETNS"
    ip link set "$wire" master isle0 up
    nsenter --net="$CNI_NETNS" ip address add "$address" dev "$CNI_IFNAME"
    nsenter --net="$CNI_NETNS" ip link set "$CNI_IFNAME" up
    nsenter --net="$CNI_NETNS" ip route add default via "$prefix.1"
    printf '%s\n' "$result"
    ;;
  DEL) keeper ;;
esac
PLUGIN
podwalk node "$WORKER" -- sh -c 'cat > /etc/cni/net.d/10-landing.conflist' <<JSON
{"cniVersion": "1.0.0", "name": "landing", "plugins": [{"type": "landing", "prefix": "$LAB_PREFIX"}]}
JSON
kubectl -n island rollout status deployment house --timeout 60s
kubectl -n island wait job crossings --for condition=Complete --timeout 60s
