# also right: the same, and CoreDNS started anew, for whoever does not want to wait for it to read its file.
kubectl -n kube-system get configmap coredns -o json | sed 's/    rewrite name exact stamps.post[^\\]*\\n//' |
  kubectl replace -f -
kubectl -n kube-system rollout restart deployment coredns
kubectl -n kube-system rollout status deployment coredns --timeout 60s
