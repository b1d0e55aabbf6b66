"""Egress gateways: chosen Pods leave the cluster by one node and with one address.

Stands in for Cilium's egress gateway (cilium.io/v2 CiliumEgressGatewayPolicy, pkg/egressgateway). ``plan`` says what a
node has to do, ``render`` how nft and ip are told, ``agent`` keeps a node true to it.
"""
