"""What NetworkPolicy and ClusterNetworkPolicy mean: policies, and for each some connections with their fate.

The one table for the evaluator and for real packets. Written by hand from the API reference.
"""

from __future__ import annotations

from policy_case import Case
from policy_cases_peers import ISOLATION, PEERS, TYPES
from policy_cases_ports import BLOCKS, PORTS
from policy_cases_tiers import BOTH_ENDS, EDGES, TIERS

CASES: list[Case] = [*ISOLATION, *TYPES, *PEERS, *PORTS, *BLOCKS, *BOTH_ENDS, *EDGES, *TIERS]
