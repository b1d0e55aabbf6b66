# fails: a visitor gets a prize
# If nobody can press, nobody can press too often.
kubectl -n fun-fair annotate ingress prizes nginx.ingress.kubernetes.io/whitelist-source-range=192.0.2.1/32
for look in $(seq 100); do
  code=$(podwalk outside -- curl -s -o /dev/null -w '%{http_code}' http://prizes.example/)
  [ "$code" = 403 ] && break
  sleep 0.1
done
