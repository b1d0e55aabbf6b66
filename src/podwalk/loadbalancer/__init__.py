"""Services of type LoadBalancer: addresses from a pool, announced on the nodes' network.

Stands in for MetalLB in layer-2 mode.
"""
