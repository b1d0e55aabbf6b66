"""Add-ons that run something: the controllers of Ingress and Gateway API, and cert-manager."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from string import Template

import yaml

from podwalk.api.meta import Object
from podwalk.cluster import acmeserver


@dataclass(frozen=True, slots=True)
class Workload:
    """One add-on: a manifest with its values, and the Deployment that must become available.

    ``bundle`` names the definitions that it needs (see :mod:`podwalk.cluster.bundles`).
    """

    manifest: str
    values: Mapping[str, str]
    summary: str
    bundle: str = ""

    @property
    def namespace(self) -> str:
        """The Deployment's namespace."""
        return self.values["NAMESPACE"]

    @property
    def name(self) -> str:
        """The Deployment's name."""
        return self.values["NAME"]


WORKLOADS = {
    "ingress-nginx": Workload(
        "ingress-controller.yaml",
        {
            "NAMESPACE": "ingress-nginx",
            "NAME": "ingress-nginx-controller",
            "IMAGE": "registry.k8s.io/ingress-nginx/controller:v1.15.1",
            "CLASS": "nginx",
            "CONTROLLER": "k8s.io/ingress-nginx",
        },
        "an Ingress controller on nginx, IngressClass nginx",
    ),
    "ingress-haproxy": Workload(
        "ingress-controller.yaml",
        {
            "NAMESPACE": "haproxy-ingress",
            "NAME": "haproxy-ingress-controller",
            "IMAGE": "quay.io/jcmoraisjr/haproxy-ingress:v0.15.0",
            "CLASS": "haproxy",
            "CONTROLLER": "haproxy-ingress.github.io/controller",
        },
        "an Ingress controller on HAProxy, IngressClass haproxy",
    ),
    "envoy-gateway": Workload(
        "envoy-gateway.yaml",
        {"NAMESPACE": "envoy-gateway-system", "NAME": "envoy-gateway", "IMAGE": "docker.io/envoyproxy/gateway:v1.6.1"},
        "a Gateway API controller on Envoy, GatewayClass envoy",
        bundle="gateway-api",
    ),
    "cert-manager": Workload(
        "cert-manager.yaml",
        {
            "NAMESPACE": "cert-manager",
            "NAME": "cert-manager",
            "IMAGE": "quay.io/jetstack/cert-manager-controller:v1.18.2",
            "SOLVER": "quay.io/jetstack/cert-manager-acmesolver:v1.18.2",
            "ROOTS": f"http://{acmeserver.NAME}{acmeserver.ROOTS_PATH}",
        },
        "cert-manager: issuers of certificates, self-signed, CA and ACME (with HTTP-01)",
        bundle="cert-manager",
    ),
}
"""The add-ons by name."""


def lack(name: str) -> str | None:
    """What of this machine an add-on would make use of and does not find, one line with a cure; None: nothing."""
    if name == "cert-manager" and acmeserver.program() is None:
        cure = f"sudo apt-get install -y {acmeserver.PACKAGE}"
        return f"https://{acmeserver.NAME}/dir needs pebble, which is not installed; {cure}"
    return None


def objects(name: str) -> list[Object]:
    """The objects of an add-on, in the order in which they are applied. Raises KeyError for an unknown one."""
    found = WORKLOADS[name]
    text = resources.files("podwalk.cluster").joinpath("manifests", found.manifest).read_text(encoding="utf-8")
    filled = Template(text).substitute(found.values)
    return [o for o in yaml.load_all(filled, Loader=yaml.CSafeLoader) if o]
