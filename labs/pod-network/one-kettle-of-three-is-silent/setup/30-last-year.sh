# A route to one address by way of a machine that was taken out of service long ago.
i=0
address=
until [ -n "$address" ] || [ $i -ge 100 ]; do
  address=$(kubectl -n brewery get pod "kettle-$LAB_KETTLE" --ignore-not-found -o jsonpath='{.status.podIP}')
  i=$((i + 1))
done
kubectl -n brewery rollout status statefulset kettle --timeout 60s >/dev/null
podwalk node "$WORKER" -- ip route add "$address/32" via 172.18.0.77 dev eth0
