# fails: the peerings say what the nodes are
# The number mended in bird.cfg on both nodes: a copy. The next change of the ConfigMap, and it is written over.
for node in "$CONTROL_PLANE" "$WORKER"; do
  podwalk node "$node" -- sed -i "s/ as $LAB_DIGITS;/ as 64512;/" /etc/calico/confd/config/bird.cfg
  podwalk node "$node" -- birdc configure
done
for node in "$CONTROL_PLANE" "$WORKER" "$WORKER2"; do
  i=0
  until [ "$(podwalk node "$node" -- birdc show protocols | grep -c Established)" = 2 ] || [ $i -ge 200 ]; do
    i=$((i + 1))
    sleep 0.1
  done
done
