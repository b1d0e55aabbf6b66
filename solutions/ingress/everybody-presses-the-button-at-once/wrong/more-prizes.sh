# fails: the prizes were left alone
# If they press faster, let us answer faster.
kubectl -n fun-fair scale deployment prizes --replicas 3
kubectl -n fun-fair annotate ingress prizes nginx.ingress.kubernetes.io/limit-rps=5
