"""The Pod network of a node: one profile a network plugin.

Stands in for flanneld, kindnetd, calico-node and their kin: what runs on each node, writes the CNI configuration and
keeps routes to the other nodes.
"""
