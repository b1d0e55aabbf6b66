"""Gateway API: Gateways and their routes become the configuration of a real Envoy.

Stands in for Envoy Gateway (envoyproxy/gateway). ``attach`` decides which routes a Gateway takes and what their status
says, ``envoy`` writes Envoy's configuration; both are pure. One Envoy serves all Gateways of the cluster, each on ports
of its own behind a Service of its own.
"""
