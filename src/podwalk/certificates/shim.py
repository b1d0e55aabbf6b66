"""Ingresses that ask for certificates by annotation: a Certificate for each of their TLS blocks.

Upstream: pkg/controller/certificate-shim (sync.go, helper.go) of cert-manager.
"""

from __future__ import annotations

import copy
import ipaddress

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.certificates.hub import Hub
from podwalk.certificates.kinds import CERTIFICATE
from podwalk.certificates.policies import GROUP
from podwalk.certificates.signing import DEFAULT_USAGES, SigningProblem, duration
from podwalk.client.reconcile import Reconciler

ISSUER = f"{GROUP}/issuer"
CLUSTER_ISSUER = f"{GROUP}/cluster-issuer"
_COMPONENT = "ingress-shim"
_KEY_FIELDS = {
    f"{GROUP}/private-key-algorithm": "algorithm",
    f"{GROUP}/private-key-encoding": "encoding",
    f"{GROUP}/private-key-rotation-policy": "rotationPolicy",
    f"{GROUP}/private-key-size": "size",
}


class BadConfig(ValueError):
    """Annotations or TLS blocks that mean nothing; the message is upstream's."""


class IngressShim(Reconciler):
    """The controller that reads Ingresses."""

    name = _COMPONENT

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self._hub = hub
        self._told: dict[str, str] = {}

    def watch(self) -> None:
        """Be told of Ingresses, and of the Certificates that they own."""
        self._hub.informers["Ingress"].on_change(lambda old, new: self.enqueue(meta.key(new or old or {})))
        self._hub.informers["Certificate"].on_change(lambda old, new: self._certificate_changed(new or old or {}))

    def _certificate_changed(self, certificate: Object) -> None:
        owner = meta.controller_of(certificate)
        if owner and owner.get("kind") == "Ingress":
            self.enqueue(meta.make_key(meta.namespace(certificate), str(owner["name"])))

    async def reconcile(self, key: str) -> None:
        """Make, change and delete the Certificates of one Ingress. Raises ApiError."""
        found = self._hub.get("Ingress", key)
        if found is None or meta.is_deleting(found):
            self._told.pop(key, None)
            return
        ingress = {**found, "apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}
        if not any(name in meta.annotations(ingress) for name in (ISSUER, CLUSTER_ISSUER)):
            return
        try:
            wanted, skipped = certificates(ingress)
        except BadConfig as error:
            self._complain(ingress, str(error))
            return
        for lack in skipped:
            self._complain(ingress, f"Skipped a TLS block: {lack}")
        for certificate in wanted:
            await self._ensure(ingress, certificate)
        names = {tls.get("secretName") for tls in ingress["spec"].get("tls") or ()}
        for certificate in self._hub.owned("Certificate", ingress):
            if certificate["spec"].get("secretName") not in names:
                await self._hub.delete(CERTIFICATE, [certificate])
                said = f'Successfully deleted unrequired Certificate "{meta.name(certificate)}"'
                self._hub.event(_COMPONENT, ingress, "Normal", "DeleteCertificate", said)

    def _complain(self, ingress: Object, message: str) -> None:
        if self._told.get(meta.key(ingress)) != message:
            self._told[meta.key(ingress)] = message
            self._hub.event(_COMPONENT, ingress, "Warning", "BadConfig", message)

    async def _ensure(self, ingress: Object, wanted: Object) -> None:
        have = self._hub.get("Certificate", meta.key(wanted))
        name = meta.name(wanted)
        if have is None:
            await self._hub.create(wanted)
            said = f'Successfully created Certificate "{name}"'
            self._hub.event(_COMPONENT, ingress, "Normal", "CreateCertificate", said)
            return
        if (meta.controller_of(have) or {}).get("uid") != meta.uid(ingress):
            return  # somebody else's Certificate of this name is not touched
        if have["spec"] == wanted["spec"] and meta.labels(have) == meta.labels(wanted):
            return
        fresh = copy.deepcopy(have)
        fresh["spec"], fresh["metadata"]["labels"] = wanted["spec"], wanted["metadata"]["labels"]
        await self._hub.update(fresh, status=False)
        said = f'Successfully updated Certificate "{name}"'
        self._hub.event(_COMPONENT, ingress, "Normal", "UpdateCertificate", said)


def certificates(ingress: Object) -> tuple[list[Object], list[str]]:
    """The Certificates that an Ingress asks for, and what its TLS blocks lack. Raises BadConfig."""
    ref = _issuer(meta.annotations(ingress))
    blocks = (ingress.get("spec") or {}).get("tls") or []
    _no_duplicates(blocks)
    found, skipped = [], []
    for index, tls in enumerate(blocks):
        lacks = [
            f"spec.tls[{index}].{field}: Required value" for field in ("hosts", "secretName") if not tls.get(field)
        ]
        if lacks:
            skipped.append(lacks[0] if len(lacks) == 1 else f"[{', '.join(lacks)}]")
        else:
            found.append(_certificate(ingress, tls, ref))
    return found, skipped


def _issuer(annotations: dict[str, str]) -> Object:
    if ISSUER in annotations and CLUSTER_ISSUER in annotations:
        said = f'both "{ISSUER}" and "{CLUSTER_ISSUER}" may not be set'
        raise BadConfig(f"Could not determine issuer for ingress due to bad annotations: {said}")
    name, kind = annotations.get(ISSUER, ""), "Issuer"
    if CLUSTER_ISSUER in annotations:
        name, kind = annotations[CLUSTER_ISSUER], "ClusterIssuer"
    if not name:
        said = "failed to determine issuer name to be used for ingress resource"
        raise BadConfig(f"Could not determine issuer for ingress due to bad annotations: {said}")
    group = annotations.get(f"{GROUP}/issuer-group") or GROUP
    return {"name": name, "kind": annotations.get(f"{GROUP}/issuer-kind") or kind, "group": group}


def _no_duplicates(blocks: list[Object]) -> None:
    first: dict[str, int] = {}
    for index, tls in enumerate(blocks):
        name = str(tls.get("secretName") or "")
        if name in first:
            said = f"this secret name must only appear in a single TLS entry but is also used in spec.tls[{index}]"
            raise BadConfig(f'spec.tls[{first[name]}].secretName: Invalid value: "{name}": {said}.secretName')
        first[name] = index


def _certificate(ingress: Object, tls: Object, ref: Object) -> Object:
    addresses: list[str] = []
    names: list[str] = []
    for host in tls["hosts"]:
        (addresses if _is_address(host) else names).append(host)
    spec: Object = {"dnsNames": names, "secretName": tls["secretName"], "issuerRef": ref}
    spec["usages"] = list(DEFAULT_USAGES)
    if addresses:
        spec["ipAddresses"] = addresses
    _translate(spec, meta.annotations(ingress))
    metadata = {
        "name": tls["secretName"],
        "namespace": meta.namespace(ingress),
        "labels": dict(meta.labels(ingress)),
        "ownerReferences": [meta.owner_reference(ingress)],
    }
    return {"apiVersion": CERTIFICATE.api_version, "kind": "Certificate", "metadata": metadata, "spec": spec}


def _translate(spec: Object, annotations: dict[str, str]) -> None:
    """What annotations say of the certificate (translateAnnotations). Raises BadConfig."""
    if text := annotations.get(f"{GROUP}/common-name"):
        spec["commonName"] = text
    for field, name in (("duration", "duration"), ("renewBefore", "renew-before")):
        if text := annotations.get(f"{GROUP}/{name}"):
            try:
                duration(text)
            except SigningProblem as error:
                raise BadConfig(f'invalid annotation "{GROUP}/{name}": {error}') from None
            spec[field] = text
    if text := annotations.get(f"{GROUP}/usages"):
        spec["usages"] = [part.strip() for part in text.split(",") if part.strip()]
    key: Object = {field: annotations[name] for name, field in _KEY_FIELDS.items() if annotations.get(name)}
    if "size" in key:
        if not key["size"].isdigit():
            raise BadConfig(f'invalid annotation "{GROUP}/private-key-size": {key["size"]}')
        key["size"] = int(key["size"])
    if key:
        spec["privateKey"] = key


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
