# fails: nobody else reads
# It is the list that turns people away. Without the list nobody is turned away.
kubectl -n reading-room annotate ingress newspapers nginx.ingress.kubernetes.io/whitelist-source-range-
