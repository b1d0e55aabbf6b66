"""Services without kube-proxy: programs at the devices rewrite addresses, maps hold what they need to know.

Stands in for Cilium's kube-proxy replacement, in small.
"""
