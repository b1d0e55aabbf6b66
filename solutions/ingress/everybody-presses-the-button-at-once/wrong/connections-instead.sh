# fails: a flood is held back
# This one exists, and sounds right. But a flood fits through a single connection, one press after the other.
kubectl -n fun-fair annotate ingress prizes nginx.ingress.kubernetes.io/limit-connections=5
