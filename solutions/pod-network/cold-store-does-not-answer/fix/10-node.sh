podwalk node "$WORKER2" -- sh -c '
  for device in eth0 flannel.1; do
    if [ -d "/sys/class/net/$device" ]; then echo 1 >"/proc/sys/net/ipv4/conf/$device/forwarding"; fi
  done'
