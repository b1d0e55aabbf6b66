# fails: six boats have landed, one after the other
# DEL says that all is well and crosses nothing out. The houses live happily, and the third boat finds no landing stage.
sed -e 's/rm -f "$note"/true/' "$(dirname "$0")/../island" |
  podwalk node "$WORKER" -- sh -c 'cat > /opt/cni/bin/island; chmod +x /opt/cni/bin/island'
podwalk node "$WORKER" -- sh -c 'cat > /etc/cni/net.d/10-island.conflist' <<JSON
{"cniVersion": "1.0.0", "name": "island", "plugins": [{"type": "island", "prefix": "$LAB_PREFIX"}]}
JSON
kubectl -n island rollout status deployment house --timeout 60s
