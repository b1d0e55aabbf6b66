# fails: the gauge on the pier still answers
# Every slice that no controller keeps goes, in one sweep. One of them was the only way to the gauge.
for slice in $(kubectl -n ferryport get endpointslice -l '!endpointslice.kubernetes.io/managed-by' -o name); do
  kubectl -n ferryport delete "$slice"
done
