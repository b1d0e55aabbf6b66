# fails: a bell made tomorrow hears itself on either worker
# A thorough repair of the node where the bell hangs today. There is another worker.
node=$(kubectl -n belfry get pod -l app=bell -o jsonpath='{.items[0].spec.nodeName}')
podwalk node "$node" -- sh -eu -c '
  sed -i "s/\"hairpinMode\": false/\"hairpinMode\": true/" /etc/cni/net.d/10-flannel.conflist
  for port in $(ls /sys/class/net/cni0/brif); do bridge link set dev "$port" hairpin on || [ ! -e "/sys/class/net/cni0/brif/$port" ]; done'
