# fails: the guide still reaches nobody else
# Without a policy every room plays, and what hangs around the visitors' necks calls whom it likes.
kubectl -n castle delete networkpolicy guide-goes-out
