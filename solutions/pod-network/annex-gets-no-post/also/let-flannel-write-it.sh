# also right: flannel writes the entry when a node's annotations change, so the annex's node moves away and back on paper.
for address in 192.0.2.1 "$WORKER2_IP"; do
  kubectl annotate node "$WORKER2" --overwrite "flannel.alpha.coreos.com/public-ip=$address"
  for look in $(seq 100); do
    podwalk node "$WORKER" -- bridge fdb show dev flannel.1 | grep -q "dst $address " && break
  done
done
