# The rule that returns before MASQUERADE goes; everything else stays as flannel made it.
range=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER2" -- iptables -t nat -D FLANNEL-POSTRTG -s "$range" -d "$LAB_RANGE" \
  -m comment --comment "our own networks" -j RETURN
podwalk node "$WORKER2" -- sh -c 'conntrack -D -p tcp --dport 80 >/dev/null 2>&1 || true'
