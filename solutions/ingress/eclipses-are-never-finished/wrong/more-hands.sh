# fails: eclipses are calculated to the end
# Four Pods share the work. Each eclipse still takes one of them a second and a half.
kubectl -n ephemeris scale deployment eclipses --replicas 4
kubectl -n ephemeris rollout status deployment eclipses --timeout 120s
