"""NetworkPolicy: what policies say (pure), and the nftables rules of a node that make packets obey.

Stands in for the policy half of a network plugin (kube-network-policies, Calico's Felix).
"""
