# fails: the station hears both buoys
# New buoys, the same script before the launch.
kubectl -n buoys rollout restart deployment buoy
kubectl -n buoys rollout status deployment buoy --timeout 60s
