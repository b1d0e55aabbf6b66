# fails: three houses have addresses of the island
# One address for everybody: no book, no DEL, and each house answers for itself when it is asked alone.
sed -e 's/for last in .*; do/for last in 2; do rm -f "$book"\/*.2/' "$(dirname "$0")/../island" |
  podwalk node "$WORKER" -- sh -c 'cat > /opt/cni/bin/island; chmod +x /opt/cni/bin/island'
podwalk node "$WORKER" -- sh -c 'cat > /etc/cni/net.d/10-island.conflist' <<JSON
{"cniVersion": "1.0.0", "name": "island", "plugins": [{"type": "island", "prefix": "$LAB_PREFIX"}]}
JSON
kubectl -n island wait job crossings --for condition=Complete --timeout 60s
