# also right: the slice stays as a keepsake, without the label that makes it one of the Service's.
kubectl -n ferryport label endpointslice timetable-move kubernetes.io/service-name-
