# fails: each camera is served on its own machine
# The policy is in the way, so away with it. South is on the screens, by way of the line that is booked.
kubectl -n arena patch service cutter -p '{"spec":{"internalTrafficPolicy":"Cluster"}}'
