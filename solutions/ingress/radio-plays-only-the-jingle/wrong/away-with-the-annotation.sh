# fails: the archive plays what was asked for
# The annotation brought the jingle, so away with it. Now the front desk is well, and the others hear a word too many.
kubectl -n radio-house annotate ingress programme nginx.ingress.kubernetes.io/rewrite-target- nginx.ingress.kubernetes.io/use-regex=true
