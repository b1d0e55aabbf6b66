"""HTTP: routes, content negotiation, request bodies, verbs."""
