# The node keeps what comes in from other machines. By devices, and not by net.ipv4.ip_forward: the CNI plugin turns that
# one on again whenever it makes a Pod.
podwalk node "$WORKER2" -- sh -c '
  for device in eth0 flannel.1; do
    if [ -d "/sys/class/net/$device" ]; then echo 0 >"/proc/sys/net/ipv4/conf/$device/forwarding"; fi
  done'
