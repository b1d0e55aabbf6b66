# Off and on again: only a change of the common switch sets all devices of the node alike.
podwalk node "$WORKER2" -- sysctl -qw net.ipv4.ip_forward=0 net.ipv4.ip_forward=1
