# fails: the plugin is the island's own
# The list of the big island with the island's range. Everything works, and nobody has understood anything.
podwalk node "$WORKER" -- sh -c 'cat > /etc/cni/net.d/10-island.conflist' <<JSON
{"cniVersion": "1.0.0", "name": "island", "plugins": [
  {"type": "ptp", "ipam": {"type": "host-local", "subnet": "$LAB_PREFIX.0/29", "routes": [{"dst": "0.0.0.0/0"}]}}]}
JSON
kubectl -n island rollout status deployment house --timeout 60s
kubectl -n island wait job crossings --for condition=Complete --timeout 60s
