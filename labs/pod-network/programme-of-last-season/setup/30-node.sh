# On the programme's node stands a network namespace that was left behind: with the Pod's address, a server, and a route.
# By nsenter, because `ip -n` and `ip netns exec` mount a /sys, which an ordinary user may not.
address=$(kubectl -n opera get pod -l app=programme -o jsonpath='{.items[0].status.podIP}')
podwalk node "$WORKER2" -- sh -eu -c '
  echo 0 >"/run/$2.pid"
  ip netns add "$2"
  ip link add "$3" type veth peer name eth0 netns "$2"
  nsenter "--net=/run/netns/$2" ip addr add "$1/32" dev eth0
  nsenter "--net=/run/netns/$2" ip link set lo up
  nsenter "--net=/run/netns/$2" ip link set eth0 up
  nsenter "--net=/run/netns/$2" ip route add default dev eth0
  ip link set "$3" up
  echo 1 >"/proc/sys/net/ipv4/conf/$3/proxy_arp"
  ip route add "$1/32" dev "$3"
  mkdir -p "/run/$2"
  echo "programme-of-last-season" >"/run/$2/hostname"
  nsenter "--net=/run/netns/$2" setsid busybox httpd -f -p 8080 -h "/run/$2" </dev/null >/dev/null 2>&1 &
  echo $! >"/run/$2.pid"' sh "$address" "cni-$LAB_SEASON" "veth$LAB_SEASON"
podwalk node "$WORKER2" -- curl -s --retry 20 --retry-connrefused --retry-delay 1 "http://$address:8080/hostname" >/dev/null
