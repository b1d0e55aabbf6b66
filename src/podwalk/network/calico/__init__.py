"""Calico: a /32 for each Pod, routes instead of bridges, and BGP between the nodes."""
