# also right: the common switch sets every device when it changes, so it is turned off and on. The node stops for a moment.
podwalk node "$WORKER2" -- sysctl -w net.ipv4.ip_forward=0 net.ipv4.ip_forward=1
