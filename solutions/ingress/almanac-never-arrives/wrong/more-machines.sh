# fails: the almanac arrives
# Three machines think three times as fast, all in all. Each answer takes as long as before.
kubectl -n almanac scale deployment machine --replicas 3
kubectl -n almanac rollout status deployment machine --timeout 60s
