# fails: nobody is on the list but the timetable's Pods
# New Pods for old. The controller writes their addresses into its own slice, and never looks at the other.
kubectl -n ferryport rollout restart deployment timetable
kubectl -n ferryport rollout status deployment timetable --timeout 120s
