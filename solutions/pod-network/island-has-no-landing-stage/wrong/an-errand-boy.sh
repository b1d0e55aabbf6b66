# fails: the plugin is the island's own
# A program of one's own that hands all the work to a ready-made one.
podwalk node "$WORKER" -- sh -c 'cat > /opt/cni/bin/island; chmod +x /opt/cni/bin/island' <<'PLUGIN'
#!/bin/sh
exec "${CNI_PATH%%:*}/ptp"
PLUGIN
podwalk node "$WORKER" -- sh -c 'cat > /etc/cni/net.d/10-island.conflist' <<JSON
{"cniVersion": "1.0.0", "name": "island", "plugins": [
  {"type": "island", "ipam": {"type": "host-local", "subnet": "$LAB_PREFIX.0/29", "routes": [{"dst": "0.0.0.0/0"}]}}]}
JSON
kubectl -n island rollout status deployment house --timeout 60s
kubectl -n island wait job crossings --for condition=Complete --timeout 60s
