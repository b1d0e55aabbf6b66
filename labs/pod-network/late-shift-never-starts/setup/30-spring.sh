# What a spring of power cuts leaves: a reservation for each address whose Pod ended without a DEL. They are as old as
# that, by which the teardown knows them.
# The reservations of the living are kept for the teardown: whoever clears them out makes duplicates of Pods of others.
prefix=$(kubectl get node "$WORKER2" -o jsonpath='{.spec.podCIDR}')
podwalk node "$WORKER2" -- sh -eu -c '
  cd /var/lib/cni/networks/cbr0
  mkdir -p /run/reservations
  find . -name "10.*" -exec cp -p -t /run/reservations {} +
  i=2
  od -An -v -tx1 -w32 -N8160 /dev/urandom | tr -d " " | while read -r id && [ $i -le 254 ]; do
    if ! [ -e "$0.$i" ]; then
      printf "%s\r\neth0" "$id" > "$0.$i"
      echo "$0.$i"
    fi
    i=$((i + 1))
  done | xargs -r touch -d "200 days ago" --' "${prefix%.*}"
kubectl -n parcels scale deployment sorter --replicas 4 >/dev/null
# The symptom is there when the plugin has refused.
i=0
until kubectl -n parcels get events --field-selector reason=FailedCreatePodSandBox -o name | grep -q . || [ $i -ge 100 ]; do
  i=$((i + 1))
  sleep 0.1
done
