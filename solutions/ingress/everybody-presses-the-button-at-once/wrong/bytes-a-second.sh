# fails: a flood is held back
# The name is almost the same, and it exists: but limit-rate counts bytes a second, of each connection.
kubectl -n fun-fair annotate ingress prizes nginx.ingress.kubernetes.io/limit-rate=5
