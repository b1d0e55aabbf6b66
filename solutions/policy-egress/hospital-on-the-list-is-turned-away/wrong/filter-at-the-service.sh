# fails: the hospital reads the fridge
# The Service can filter by source as well, and does it before any address is changed. The policy still sees the node.
kubectl -n bloodbank patch service fridge -p '{"spec":{"loadBalancerSourceRanges":["172.18.0.1/32"]}}'
