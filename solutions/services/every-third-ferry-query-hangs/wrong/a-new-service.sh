# fails: sixty queries in a row are answered by both Pods
# The Service anew, under the same name. The slice has no owner, so it outlives the old one and haunts the new one.
kubectl -n ferryport delete service timetable
kubectl -n ferryport expose deployment timetable --port 80 --target-port 8080
