"""Ingress controllers: Ingresses, Services, EndpointSlices and Secrets become the configuration of a real proxy.

Stands in for ingress-nginx (kubernetes/ingress-nginx, internal/ingress/controller) and the HAProxy Ingress controller.
The proxies are real: Debian's nginx and HAProxy, run in a Pod. ``model`` and the two renderers are pure.
"""
