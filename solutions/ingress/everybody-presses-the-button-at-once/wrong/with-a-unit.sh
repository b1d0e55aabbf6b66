# fails: a flood is held back
# The right name, and a value to be read by people. A number is asked for, and what is none is no limit.
kubectl -n fun-fair annotate ingress prizes nginx.ingress.kubernetes.io/limit-rps=5r/s
