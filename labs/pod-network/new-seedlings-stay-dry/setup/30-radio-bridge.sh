# One number in one file, and the comma after it. Then the two sprinklers that have to wait.
podwalk node "$WORKER2" -- sed -i 's/"mtu": .*/"mtu": 1400/' /etc/cni/net.d/10-flannel.conflist
i=0
until kubectl get node "$WORKER2" -o jsonpath='{.spec.taints[*].key}' | grep -q not-ready || [ $i -ge 100 ]; do
  i=$((i + 1))
  sleep 0.1
done
kubectl -n greenhouse scale deployment sprinkler --replicas 3 >/dev/null
