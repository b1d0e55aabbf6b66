# fails: the name leads everybody to the same drawer
# The line is wrong, so write a right one: the address of today, for everybody. Until somebody makes the Service anew.
post=$(kubectl -n post get service stamps -o jsonpath='{.spec.clusterIP}')
line='    hosts {\\n        '$post' stamps.post.svc.cluster.local\\n        fallthrough\\n    }\\n'
kubectl -n kube-system get configmap coredns -o json | sed "s/    rewrite name exact stamps.post[^\\\\]*\\\\n/$line/" |
  kubectl replace -f -
until [ "$(podwalk node "$WORKER" -- dig +short +time=1 stamps.post.svc.cluster.local @10.96.0.10)" = "$post" ]; do
  sleep 0.2
done
