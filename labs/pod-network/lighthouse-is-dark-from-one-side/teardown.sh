# Every rule about the range of the lamps' node, and the main table's way there as the network plugin made it.
range=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER" -- sh -eu -c '
  net=${1%.*}
  ip rule | grep -F " to $net." | cut -d: -f1 | while read -r pref; do ip rule del pref "$pref"; done
  ip route flush table 99 2>/dev/null || true
  if ip link show flannel.1 >/dev/null 2>&1; then ip route replace "$1" via "$net.0" dev flannel.1 onlink; fi
' sh "$range"
