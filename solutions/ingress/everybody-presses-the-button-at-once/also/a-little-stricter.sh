# also right: four a second and at most three connections at a time; the notes that do nothing may stay where they are.
kubectl -n fun-fair annotate ingress prizes nginx.ingress.kubernetes.io/limit-rps=4 nginx.ingress.kubernetes.io/limit-connections=3
