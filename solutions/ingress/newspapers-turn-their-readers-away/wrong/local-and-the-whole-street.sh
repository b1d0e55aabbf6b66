# fails: nobody else reads
# The door is mended, and the list of the last attempt stays: the gentleman on the bench reads along.
kubectl -n ingress-nginx patch service ingress-nginx-controller --type merge -p '{"spec":{"externalTrafficPolicy":"Local"}}'
kubectl -n reading-room annotate ingress newspapers --overwrite \
  nginx.ingress.kubernetes.io/whitelist-source-range=172.18.0.0/16
for look in $(seq 100); do
  code=$(podwalk outside -- curl -s -m 2 --interface 172.18.1.40 -o /dev/null -w '%{http_code}' http://newspapers.example/)
  [ "$code" = 200 ] && break
  sleep 0.1
done
