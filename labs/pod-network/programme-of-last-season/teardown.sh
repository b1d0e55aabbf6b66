# The namespace with its server, its cable and its route. By the files that the setup left, whatever the names were.
podwalk node "$WORKER2" -- sh -eu -c '
  for file in /run/cni-*.pid; do
    [ -f "$file" ] || continue
    name=${file#/run/} name=${name%.pid}
    pid=$(cat "$file")
    [ "$pid" = 0 ] || kill "$pid" 2>/dev/null || true
    ip link del "veth${name#cni-}" 2>/dev/null || true
    ip netns del "$name" 2>/dev/null || true
    rm -rf "/run/$name" "$file"
  done'
