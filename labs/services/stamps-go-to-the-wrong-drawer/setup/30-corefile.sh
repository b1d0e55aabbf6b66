# Last winter's line in the Corefile: while the drawer of the post was mended, its name meant the one in the attic.
before=$(kubectl -n kube-system get configmap coredns -o jsonpath='{.data.Corefile}')
printf '%s\n' "$before" | podwalk node "$CONTROL_PLANE" -- sh -c 'cat > /var/tmp/stamps.Corefile'
kubectl -n kube-system get configmap coredns -o json |
  sed 's/    ready\\n/&    rewrite name exact stamps.post.svc.cluster.local stamps.attic.svc.cluster.local\\n/' |
  kubectl replace -f -
attic=$(kubectl -n attic get service stamps -o jsonpath='{.spec.clusterIP}')
n=0
until [ "$(podwalk node "$WORKER" -- dig +short +time=1 stamps.post.svc.cluster.local @10.96.0.10)" = "$attic" ]; do
  n=$((n + 1))
  [ "$n" -lt 60 ] || { echo "the cluster DNS does not take over its Corefile" >&2; exit 1; }
  sleep 0.5
done
