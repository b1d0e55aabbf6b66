# The big island: ready-made plugins on the node's own range, for whoever wants to see what comes out.
cidr=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER2" -- sh -c 'cat > /etc/cni/net.d/10-ready-made.conflist' <<JSON
{
  "cniVersion": "1.0.0",
  "name": "ready-made",
  "plugins": [
    {
      "type": "ptp",
      "ipam": {
        "type": "host-local",
        "subnet": "$cidr",
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    }
  ]
}
JSON
kubectl wait node "$WORKER2" --for condition=Ready --timeout 30s >/dev/null
kubectl -n podwalk-control wait pod --all --for condition=Ready --timeout 60s >/dev/null
