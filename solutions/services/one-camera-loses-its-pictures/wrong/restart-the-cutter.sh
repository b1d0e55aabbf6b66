# fails: both cameras get an answer
# A new cutter, in the old place.
kubectl -n arena rollout restart daemonset cutter
kubectl -n arena rollout status daemonset cutter --timeout 120s
