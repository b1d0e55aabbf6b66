# fails: the almanac arrives
# What the Web says about 504 is mostly about nginx. HAProxy does not read that prefix, and nobody complains.
kubectl -n almanac annotate ingress observatory nginx.ingress.kubernetes.io/proxy-read-timeout=20
