# fails: all other names are found as before
# A Corefile from a blog, short and clean. It knows the cluster, and the world outside is gone.
kubectl -n kube-system create configmap coredns --dry-run=client -o yaml --from-literal=Corefile='.:53 {
    ready
    health
    kubernetes cluster.local
    reload
}
' | kubectl replace -f -
post=$(kubectl -n post get service stamps -o jsonpath='{.spec.clusterIP}')
until [ "$(podwalk node "$WORKER" -- dig +short +time=1 stamps.post.svc.cluster.local @10.96.0.10)" = "$post" ]; do
  sleep 0.2
done
