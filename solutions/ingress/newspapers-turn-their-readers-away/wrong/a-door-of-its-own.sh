# fails: the desk reads
# The newspapers get a load balancer to themselves. The name leads to the house, though, and the licence is left inside.
kubectl -n reading-room patch service newspapers --type merge -p '{"spec":{"type":"LoadBalancer","externalTrafficPolicy":"Local"}}'
