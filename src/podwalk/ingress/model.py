"""What Ingresses say, as data that a proxy's configuration can be written from; pure.

Upstream: internal/ingress/controller/controller.go (getBackendServers, createServers) and store.go of ingress-nginx;
the matching rules are those of networking.k8s.io/v1 Ingress.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from podwalk.api import endpoints, meta
from podwalk.api.meta import Object

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
# Where an ACME server looks is never redirected to TLS (no-tls-redirect-locations of both controllers, its default).
NO_TLS_REDIRECT = "/.well-known/acme-challenge"
_TYPES = {"Exact": 0, "Prefix": 1, "ImplementationSpecific": 2}


@dataclass(frozen=True, slots=True)
class Backend:
    """A Service's port and the ready addresses (``ip:port``, IPv4) behind it; ``missing``: there is no such port."""

    namespace: str
    service: str
    port: str
    endpoints: tuple[str, ...] = ()
    missing: bool = False

    @property
    def name(self) -> str:
        """A name for the proxy, as ingress-nginx makes it: namespace-service-port."""
        return f"{self.namespace}-{self.service}-{self.port}"


@dataclass(frozen=True, slots=True)
class Path:
    """One path of a host: where it leads, and the annotations of the Ingress that said so, without their prefix."""

    path: str
    type: str
    backend: Backend
    ingress: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def regex(self) -> bool:
        """Whether the path is a regular expression: only an ImplementationSpecific one may be."""
        return self.options.get("use-regex") == "true" or "rewrite-target" in self.options


@dataclass(frozen=True, slots=True)
class Host:
    """One host name, ``*.`` wildcards among them; the empty name takes every host that has no entry of its own."""

    name: str
    paths: tuple[Path, ...]
    secret: str = ""
    tls: bool = False

    @property
    def wildcard(self) -> bool:
        """Whether it stands for the hosts of one label below a name."""
        return self.name.startswith("*.")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A TLS Secret's content, PEM."""

    secret: str
    cert: str
    key: str


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something about an Ingress that its author should know: becomes an Event of type Warning."""

    ingress: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that a controller serves."""

    hosts: tuple[Host, ...]
    default: Backend | None = None
    certificates: tuple[Certificate, ...] = ()
    complaints: tuple[Complaint, ...] = ()
    ingresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cluster:
    """The objects that a site is made of, as the informers have them."""

    ingresses: Iterable[Object]
    classes: Iterable[Object]
    services: Mapping[str, Object]
    slices: Iterable[Object]
    secrets: Mapping[str, Object]


def selected(ingress: Object, classes: Iterable[Object], controller: str, name: str) -> bool:
    """Whether the controller serves this Ingress.

    By ``spec.ingressClassName``, whose class must name the controller, or by the old annotation. An Ingress without
    either is nobody's: the API server fills in the default class when the Ingress is created.
    """
    wanted = (ingress.get("spec") or {}).get("ingressClassName")
    if wanted is None:
        return meta.annotations(ingress).get(CLASS_ANNOTATION) == name
    return any(meta.name(c) == wanted and (c.get("spec") or {}).get("controller") == controller for c in classes)


class _Builder:
    def __init__(self, cluster: Cluster, prefix: str, known: Iterable[str]) -> None:
        self._cluster, self._prefix, self._known = cluster, prefix, set(known)
        self._paths: dict[str, dict[tuple[str, str], Path]] = {}
        self._tls: dict[str, str] = {}
        self._slices: dict[str, list[Object]] = {}
        for part in cluster.slices:
            self._slices.setdefault(endpoints.service_of(part), []).append(part)
        self._certificates: dict[str, Certificate] = {}
        self.complaints: list[Complaint] = []
        self.default: Backend | None = None

    def add(self, ingress: Object) -> None:
        spec, key, namespace = ingress.get("spec") or {}, meta.key(ingress), meta.namespace(ingress)
        options = self._options(ingress)
        for tls in spec.get("tls") or ():
            secret = self._certificate(key, namespace, tls.get("secretName") or "")
            for host in tls.get("hosts") or ():
                self._tls.setdefault(host, secret)
        for rule in spec.get("rules") or ():
            host = rule.get("host") or ""
            for entry in (rule.get("http") or {}).get("paths") or ():
                kind = entry.get("pathType") or "ImplementationSpecific"
                backend = self._backend(key, namespace, (entry.get("backend") or {}).get("service"))
                if backend is not None:
                    path = Path(entry.get("path") or "/", kind, backend, key, options)
                    # Of two Ingresses that claim the same path the older one has it.
                    self._paths.setdefault(host, {}).setdefault((path.path, path.type), path)
        if spec.get("defaultBackend"):
            backend = self._backend(key, namespace, spec["defaultBackend"].get("service"))
            if backend is not None and not spec.get("rules"):
                self.default = self.default or backend
            elif backend is not None:
                for rule in spec["rules"]:
                    path = Path("/", "Prefix", backend, key, options)
                    self._paths.setdefault(rule.get("host") or "", {}).setdefault((path.path, path.type), path)

    def _options(self, ingress: Object) -> dict[str, str]:
        found = {}
        for name, value in meta.annotations(ingress).items():
            if name.startswith(self._prefix):
                option = name.removeprefix(self._prefix)
                found[option] = value
                if option not in self._known:
                    said = f"annotation {name} is unknown to this controller and does nothing"
                    self.complaints.append(Complaint(meta.key(ingress), "UnknownAnnotation", said))
        return found

    def _backend(self, key: str, namespace: str, service: Object | None) -> Backend | None:
        if not service:
            return None
        name, port = str(service.get("name")), service.get("port") or {}
        shown = str(port.get("name") or port.get("number") or "")
        found = self._cluster.services.get(meta.make_key(namespace, name))
        if found is None:
            self.complaints.append(Complaint(key, "BackendNotFound", f'service "{namespace}/{name}" does not exist'))
            return Backend(namespace, name, shown, missing=True)
        wanted = next((p for p in found["spec"].get("ports") or () if _same_port(p, port)), None)
        if wanted is None:
            said = f'service "{namespace}/{name}" has no port {shown}'
            self.complaints.append(Complaint(key, "BackendNotFound", said))
            return Backend(namespace, name, shown, missing=True)
        return Backend(
            namespace, name, shown, endpoints.ready(self._slices.get(meta.make_key(namespace, name), ()), wanted)
        )

    def _certificate(self, key: str, namespace: str, name: str) -> str:
        if not name:
            return ""
        ref = meta.make_key(namespace, name)
        secret = self._cluster.secrets.get(ref)
        data = (secret or {}).get("data") or {}
        if secret is None or not data.get("tls.crt") or not data.get("tls.key"):
            why = "does not exist" if secret is None else "has no tls.crt and tls.key"
            said = f'secret "{ref}" {why}; the default certificate is served'
            self.complaints.append(Complaint(key, "CertificateNotFound", said))
            return ""
        try:
            cert, key_text = (base64.b64decode(data[k], validate=True).decode() for k in ("tls.crt", "tls.key"))
        except ValueError:
            said = f'secret "{ref}" holds no PEM text; the default certificate is served'
            self.complaints.append(Complaint(key, "CertificateNotFound", said))
            return ""
        self._certificates[ref] = Certificate(ref, cert, key_text)
        return ref

    def site(self, ingresses: tuple[str, ...]) -> Site:
        names = sorted({*self._paths, *self._tls})
        hosts = []
        for name in names:
            paths = sorted(self._paths.get(name, {}).values(), key=_rank)
            hosts.append(Host(name, tuple(paths), self._tls.get(name, ""), name in self._tls))
        certificates = tuple(self._certificates[k] for k in sorted(self._certificates))
        return Site(tuple(hosts), self.default, certificates, tuple(self.complaints), ingresses)


def _rank(path: Path) -> tuple[int, int, str]:
    """Longest first; of the same path the exact one first (the order of precedence of the Ingress API)."""
    return -len(path.path), _TYPES.get(path.type, 2), path.path


def _same_port(port: Object, wanted: Object) -> bool:
    if wanted.get("name"):
        return bool(port.get("name") == wanted["name"])
    return bool(port.get("port") == wanted.get("number"))


def build(cluster: Cluster, *, controller: str, name: str, prefix: str, known: Iterable[str]) -> Site:
    """The site of one controller.

    ``controller`` is what an IngressClass names (``k8s.io/ingress-nginx``), ``name`` the value of the old annotation,
    ``prefix`` that of the controller's annotations, ``known`` those that it understands.
    """
    builder, classes = _Builder(cluster, prefix, known), list(cluster.classes)
    mine = [i for i in cluster.ingresses if selected(i, classes, controller, name)]
    for ingress in sorted(mine, key=lambda i: (str(i["metadata"].get("creationTimestamp")), meta.key(i))):
        builder.add(ingress)
    return builder.site(tuple(meta.key(i) for i in mine))
