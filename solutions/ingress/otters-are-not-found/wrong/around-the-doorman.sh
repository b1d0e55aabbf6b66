# fails: visitors see the otters
# The otters get a load balancer of their own. It works, at an address that no visitor has ever heard of.
kubectl -n otter-pool patch service otters --type merge -p '{"spec":{"type":"LoadBalancer"}}'
