# fails: the box office gets this season's programme
# With three copies the ghost is asked less often. Each third customer still goes to the opera of last season.
kubectl -n opera scale deployment programme --replicas 3
kubectl -n opera rollout status deployment programme --timeout 60s
