# fails: the almanac arrives
# There is a timeout for connecting as well. The connection was there in no time; it is the answer that takes long.
kubectl -n almanac annotate ingress observatory haproxy-ingress.github.io/timeout-connect=20s
