"""The application that the faults happen to: a tramway, put on the cluster by the first fault, taken away by the last.

Its parts are noted in ConfigMaps beside it: ``core`` always, a load balancer, an Ingress and a Gateway where asked for.
The controllers of the last two come as add-ons and go with the application, unless they were there before.
"""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Collection
from importlib import resources
from string import Template

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.backends.base import Cluster
from podwalk.client.sync import SyncClient
from podwalk.cluster import bundles, workloads
from podwalk.course.objects import WaitError, delete_namespaces, wait_ready
from podwalk.faults.facts import NAMESPACES, TRAMWAY, Facts
from podwalk.faults.model import FaultError

AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.53"
PARTS = ("balancer", "ingress", "gateway")
LABEL = "podwalk.dev/faults"
_ADDONS = {"ingress": "ingress-nginx", "gateway": "envoy-gateway"}
_READY_SECONDS = 60.0


def parts(client: SyncClient) -> set[str]:
    """The parts of the application that are there; ``core`` is one of them."""
    return {p for p in ("core", *PARTS) if client.find("ConfigMap", f"part-{p}", TRAMWAY) is not None}


def put(cluster: Cluster, client: SyncClient, facts: Facts, wanted: Collection[str] = ()) -> None:
    """Put the application and these parts on the cluster where they are not, and wait for them. Raises FaultError."""
    there = parts(client)
    if "core" not in there:
        _refuse_foreign(client)
    for part in ("core", *(p for p in PARTS if p in wanted)):
        if part not in there:
            if part in _ADDONS:
                _install(cluster, client, _ADDONS[part])
            _apply(cluster, _manifest(part, facts))
            _apply(cluster, _note(part))
    try:
        wait_ready(client, NAMESPACES, (), _READY_SECONDS)
    except WaitError as error:
        raise FaultError(f"the tramway does not start: {error}; look: kubectl get events -n {TRAMWAY}") from None


def take_away(client: SyncClient) -> None:
    """Delete the application, and the add-ons that came with it. Raises FaultError where something stays."""
    gone = [n for n in NAMESPACES if _ours(client, n) or "core" in parts(client)]
    for addon in _ADDONS.values():
        namespace = workloads.WORKLOADS[addon].namespace
        if _ours(client, namespace):
            gone.append(namespace)
            _without_class(client, addon)
    try:
        delete_namespaces(client, gone)
    except WaitError as error:
        raise FaultError(f"the tramway does not go: {error}; look: kubectl get ns") from None


def _without_class(client: SyncClient, addon: str) -> None:
    """Delete what an add-on has put beside its namespace, but not the definitions, which others may use."""
    for obj in workloads.objects(addon):
        if obj["kind"] in ("IngressClass", "ClusterRole", "ClusterRoleBinding"):
            try:
                client.delete(obj["kind"], meta.name(obj))
            except ApiError as error:
                if error.code != 404:
                    raise


def _ours(client: SyncClient, namespace: str) -> bool:
    found = client.find("Namespace", namespace)
    return found is not None and LABEL in meta.labels(found)


def _refuse_foreign(client: SyncClient) -> None:
    for name in NAMESPACES:
        if client.find("Namespace", name) is not None and not _ours(client, name):
            raise FaultError(f"namespace/{name}: exists and is not of the faults; delete it: kubectl delete ns {name}")


def _manifest(part: str, facts: Facts) -> str:
    text = resources.files("podwalk.faults").joinpath("manifests", f"{part}.yaml").read_text(encoding="utf-8")
    values = {"WORKER": facts.worker, "WORKER2": facts.worker2, "AGNHOST": AGNHOST}
    if part == "ingress":
        values["CERTIFICATE"], values["KEY"] = _certificate("tickets.tram.example")
    return Template(text).substitute(values)


def _install(cluster: Cluster, client: SyncClient, addon: str) -> None:
    workload = workloads.WORKLOADS[addon]
    if client.find("Namespace", workload.namespace) is not None:
        return
    if workload.bundle:
        found = bundles.definitions(workload.bundle)
        _apply(cluster, json.dumps({"apiVersion": "v1", "kind": "List", "items": found}))
        named = (f"crd/{c['metadata']['name']}" for c in found)
        _kubectl(cluster, "wait", "--for=condition=Established", "--timeout=30s", *named)
    _apply(cluster, json.dumps({"apiVersion": "v1", "kind": "List", "items": workloads.objects(addon)}))
    _kubectl(cluster, "label", "namespace", workload.namespace, f"{LABEL}=app")
    where = ("-n", workload.namespace, f"deployment/{workload.name}")
    _kubectl(cluster, "wait", "--for=condition=Available", "--timeout=60s", *where)


def _apply(cluster: Cluster, text: str) -> None:
    _kubectl(cluster, "apply", "--server-side", "--force-conflicts", "-f", "-", input=text)


def _kubectl(cluster: Cluster, *args: str, input: str | None = None) -> None:
    done = cluster.kubectl(*args, input=input, timeout=90)
    if not done.ok:
        said = done.stderr.strip().splitlines()[-1:] or ["kubectl said nothing"]
        raise FaultError(f"the tramway: {said[0]}; look: kubectl get pods -A")


def _note(part: str) -> str:
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: part-{part}\n  namespace: {TRAMWAY}\n"
        f"  labels: {{{LABEL}: part}}\n"
    )


def _certificate(host: str) -> tuple[str, str]:
    """A certificate of a host's own and its key, PEM in base64 as a Secret holds them."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return base64.b64encode(pem).decode(), base64.b64encode(secret).decode()
