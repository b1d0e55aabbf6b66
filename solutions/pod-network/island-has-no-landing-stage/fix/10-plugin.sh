# The program first, the list that names it last: as soon as there is a list, Pods are plugged in.
podwalk node "$WORKER" -- sh -c 'cat > /opt/cni/bin/island; chmod +x /opt/cni/bin/island' < "$(dirname "$0")/../island"
podwalk node "$WORKER" -- sh -c 'cat > /etc/cni/net.d/10-island.conflist' <<JSON
{"cniVersion": "1.0.0", "name": "island", "plugins": [{"type": "island", "prefix": "$LAB_PREFIX"}]}
JSON
kubectl -n island rollout status deployment house --timeout 60s
kubectl -n island wait job crossings --for condition=Complete --timeout 60s
