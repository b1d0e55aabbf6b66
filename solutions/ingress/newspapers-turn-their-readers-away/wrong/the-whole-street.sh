# fails: the desk reads
# Perhaps the mask was too narrow. But the address that nginx sees is not of this street at all.
kubectl -n reading-room annotate ingress newspapers --overwrite \
  nginx.ingress.kubernetes.io/whitelist-source-range=172.18.0.0/16
