# fails: each house reaches each other and the node
# The node reaches every house, so that all are Ready. But it passes nothing on: it is no router.
sed -e 's/echo 1 > .*ip_forward/true/' "$(dirname "$0")/../island" |
  podwalk node "$WORKER" -- sh -c 'cat > /opt/cni/bin/island; chmod +x /opt/cni/bin/island'
podwalk node "$WORKER" -- sh -c 'cat > /etc/cni/net.d/10-island.conflist' <<JSON
{"cniVersion": "1.0.0", "name": "island", "plugins": [{"type": "island", "prefix": "$LAB_PREFIX"}]}
JSON
kubectl -n island rollout status deployment house --timeout 60s
kubectl -n island wait job crossings --for condition=Complete --timeout 60s
