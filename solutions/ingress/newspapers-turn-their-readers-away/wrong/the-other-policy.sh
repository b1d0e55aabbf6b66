# fails: the desk reads
# There are two fields of that name. internalTrafficPolicy is about calls to the ClusterIP, and the desk does not make one.
kubectl -n ingress-nginx patch service ingress-nginx-controller --type merge -p '{"spec":{"internalTrafficPolicy":"Local"}}'
