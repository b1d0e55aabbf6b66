# Each reservation whose address no Pod of the node has goes; the others stay.
living=$(kubectl get pod -A -o jsonpath='{range .items[?(@.spec.nodeName=="'"$WORKER2"'")]}{.status.podIP}{"\n"}{end}')
podwalk node "$WORKER2" -- ls /var/lib/cni/networks/cbr0 | grep '^10\.' | while read -r address; do
  printf '%s\n' "$living" | grep -qxF "$address" || echo "$address"
done | podwalk node "$WORKER2" -- sh -c 'cd /var/lib/cni/networks/cbr0 && xargs rm --'
