# fails: nobody else reads
# What the trainee did: the log says 10.244.something, so that is let in. It is a node, and a node comes for everybody.
kubectl -n reading-room annotate ingress newspapers --overwrite \
  nginx.ingress.kubernetes.io/whitelist-source-range=172.18.0.1/32,10.244.0.0/16
