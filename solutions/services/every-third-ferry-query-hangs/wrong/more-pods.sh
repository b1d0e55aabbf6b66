# fails: nobody is on the list but the timetable's Pods
# With six Pods only one query in seven hangs, and the graph looks better. The list is as wrong as before.
kubectl -n ferryport scale deployment timetable --replicas 6
kubectl -n ferryport rollout status deployment timetable --timeout 120s
