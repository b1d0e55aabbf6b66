# The slice that nobody keeps: kube-proxy forgets its address at once.
kubectl -n ferryport delete endpointslice timetable-move
