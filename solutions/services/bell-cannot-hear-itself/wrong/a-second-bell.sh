# fails: the bell hears itself thirty times in a row
# With two bells the first call gets through, to the other one. Half of the calls still come home, and hang.
kubectl -n belfry scale deployment bell --replicas 2
kubectl -n belfry rollout status deployment bell --timeout 120s
