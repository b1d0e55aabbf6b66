# fails: sixty queries in a row are answered by both Pods
# Session affinity: the kiosk keeps whom it found first. That is one Pod for ever, or with less luck the dead address.
kubectl -n ferryport patch service timetable --type merge -p '{"spec":{"sessionAffinity":"ClientIP"}}'
