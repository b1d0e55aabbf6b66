# fails: both lines answer thirty listeners in a row
# There are two policies with nearly the same name. This one is for callers inside, who never had anything to complain of.
kubectl -n radio patch service player -p '{"spec":{"internalTrafficPolicy":"Cluster"}}'
kubectl -n radio rollout restart deployment player
kubectl -n radio rollout status deployment player --timeout 120s
