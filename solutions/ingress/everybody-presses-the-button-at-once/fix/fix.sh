kubectl -n fun-fair annotate ingress prizes nginx.ingress.kubernetes.io/rate-limit- nginx.ingress.kubernetes.io/rate-limit-window- nginx.ingress.kubernetes.io/limit-rps=5
