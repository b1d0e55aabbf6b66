# fails: the office reads the cold store
# "Forwarding off? sysctl -w net.ipv4.ip_forward=1." It is 1 already, so nothing changes, on no device.
podwalk node "$WORKER2" -- sysctl -w net.ipv4.ip_forward=1
