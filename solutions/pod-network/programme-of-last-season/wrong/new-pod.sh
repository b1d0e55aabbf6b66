# fails: no address of the node's range leads to somebody else
# The new Pod gets another address, and the box office is content. The old address waits for whoever is given it next.
kubectl -n opera rollout restart deployment programme
kubectl -n opera rollout status deployment programme --timeout 60s
for look in $(seq 100); do # it runs before it listens
  kubectl -n opera exec boxoffice -- curl -sfm1 -o /dev/null http://programme/ && break
done
