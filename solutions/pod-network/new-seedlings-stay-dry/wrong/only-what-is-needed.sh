# fails: nothing is missing in the node's network list
# A short list from a guide: addresses and a bridge. The sprinklers sprinkle; the next Pod with a hostPort will be deaf.
cidr=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER2" -- sh -c 'cat > /etc/cni/net.d/10-flannel.conflist' <<JSON
{"name": "cbr0", "cniVersion": "1.0.0", "plugins": [{"type": "bridge", "bridge": "cni0", "isDefaultGateway": true,
 "mtu": 1400, "ipam": {"type": "host-local", "subnet": "$cidr", "routes": [{"dst": "10.244.0.0/16"}]}}]}
JSON
kubectl -n greenhouse rollout status deployment sprinkler --timeout 60s
