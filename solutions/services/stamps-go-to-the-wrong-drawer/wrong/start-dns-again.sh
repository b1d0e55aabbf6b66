# fails: the clerk gets the stamps of the post
# DNS is wrong, so start it again. That is how it became wrong: it reads the same file.
kubectl -n kube-system rollout restart deployment coredns
kubectl -n kube-system rollout status deployment coredns --timeout 60s
