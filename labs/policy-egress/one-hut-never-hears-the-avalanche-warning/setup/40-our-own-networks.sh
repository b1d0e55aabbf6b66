# "Our own networks know where our Pods are": on the south hut's node, what goes there keeps its source.
range=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER2" -- iptables -t nat -I FLANNEL-POSTRTG 2 -s "$range" -d "$LAB_RANGE" \
  -m comment --comment "our own networks" -j RETURN
podwalk node "$WORKER2" -- sh -c 'conntrack -D -p tcp --dport 80 >/dev/null 2>&1 || true'
