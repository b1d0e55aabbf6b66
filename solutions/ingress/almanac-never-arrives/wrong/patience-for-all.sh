# fails: the noticeboard still gives up after a second
# One annotation, one number more. Now the screen is blank for twenty seconds, as in that summer.
kubectl -n almanac annotate ingress observatory --overwrite haproxy-ingress.github.io/timeout-server=20s
