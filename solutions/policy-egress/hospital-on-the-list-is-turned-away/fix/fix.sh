# Only nodes with a fridge take calls, and they leave the caller's address as it is.
kubectl -n bloodbank patch service fridge -p '{"spec":{"externalTrafficPolicy":"Local"}}'
