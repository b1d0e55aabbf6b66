"""CertificateRequests: approved by cert-manager itself, then signed by their issuer.

Upstream: pkg/controller/certificaterequests (sync.go, approver, selfsigned, ca, acme, util/reporter.go).
"""

from __future__ import annotations

import base64
import copy
import datetime
import logging
import zlib

import orjson

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.certificates import keys, objects, policies, signing
from podwalk.certificates.hub import Hub, set_condition
from podwalk.certificates.issuers import NoAuthority, authority
from podwalk.certificates.keys import KeyProblem
from podwalk.certificates.kinds import ORDER
from podwalk.certificates.policies import GROUP
from podwalk.certificates.signing import Authority, SigningProblem
from podwalk.client.reconcile import Reconciler

log = logging.getLogger(__name__)

FAILED_STATES = ("invalid", "expired", "errored")
_FINAL = ("Issued", "Failed", "Denied")
_APPROVED = "Certificate request has been approved by cert-manager.io"
_EMPTY_NAME = (
    "Certificate will be issued with an empty Issuer DN, which contravenes RFC 5280 and could break some strict clients"
)
_ACME_NAME = (
    "The CSR PEM requests a commonName that is not present in the list of dnsNames or ipAddresses. If a commonName is "
    "set, ACME requires that the value is also present in the list of dnsNames or ipAddresses"
)


class Requests(Reconciler):
    """The controller of CertificateRequests."""

    name = "certificaterequests"

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self._hub = hub

    def watch(self) -> None:
        """Be told of requests, of issuers, and of the Orders that requests own."""
        informers = self._hub.informers
        informers["CertificateRequest"].on_change(lambda old, new: self.enqueue(meta.key(new or old or {})))
        for kind in ("Issuer", "ClusterIssuer"):
            informers[kind].on_change(lambda old, new: self._issuer_changed(new))
        informers["Order"].on_change(lambda old, new: self._order_changed(new or old or {}))

    def _issuer_changed(self, issuer: Object | None) -> None:
        if issuer is None:
            return
        for request in self._hub.informers["CertificateRequest"].all():
            if ((request.get("spec") or {}).get("issuerRef") or {}).get("name") == meta.name(issuer):
                self.enqueue(meta.key(request))

    def _order_changed(self, order: Object) -> None:
        owner = meta.controller_of(order)
        if owner and owner.get("kind") == "CertificateRequest":
            self.enqueue(meta.make_key(meta.namespace(order), str(owner["name"])))

    async def reconcile(self, key: str) -> None:
        """Bring one request a step on. Raises ApiError."""
        found = self._hub.get("CertificateRequest", key)
        if found is None or meta.is_deleting(found):
            return
        request = copy.deepcopy(found)
        ref = request["spec"].get("issuerRef") or {}
        if (ref.get("group") or GROUP) != GROUP or (meta.condition(request, "Ready") or {}).get("reason") in _FINAL:
            return
        if meta.condition_is_true(request, "Denied"):
            said = "The CertificateRequest was denied by an approval controller"
            self._set(request, "False", "Denied", said)
            request["status"]["failureTime"] = meta.now()
            await self._hub.update(request)
            return
        if not meta.condition_is_true(request, "Approved"):
            set_condition(request, "Approved", "True", GROUP, _APPROVED)
            request = copy.deepcopy(await self._hub.update(request))
            self._hub.event("certificaterequests-approver", request, "Normal", GROUP, _APPROVED)
        before = copy.deepcopy(request.get("status"))
        await self._sign(request, ref)
        if request.get("status") != before:
            await self._hub.update(request)

    async def _sign(self, request: Object, ref: Object) -> None:
        kind = ref.get("kind") or "Issuer"
        if kind not in ("Issuer", "ClusterIssuer"):
            said = f'Failed to get issuer: invalid value "{kind}" for issuerRef.kind. Must be empty, "Issuer" or '
            self._pending(request, "", "IssuerNotFound", said + '"ClusterIssuer"')
            return
        issuer = self._hub.issuer(ref, meta.namespace(request))
        if issuer is None:
            lack = f'{kind.lower()}.cert-manager.io "{ref.get("name")}" not found'
            self._pending(request, "", "IssuerNotFound", f'Referenced "{kind}" not found: {lack}')
        elif not meta.condition_is_true(issuer, "Ready"):
            said = "Referenced issuer does not have a Ready status condition"
            self._pending(request, "", "IssuerNotReady", said)
        elif issuer["spec"].get("selfSigned") is not None:
            await self._self_signed(request)
        elif issuer["spec"].get("ca") is not None:
            await self._ca(request, issuer)
        elif issuer["spec"].get("acme") is not None:
            await self._acme(request, issuer)

    # --- what requests are told (util/reporter.go)

    def _set(self, request: Object, status: str, reason: str, message: str) -> bool:
        return set_condition(request, "Ready", status, reason, message)

    def _pending(self, request: Object, issuer: str, reason: str, message: str) -> None:
        before = (meta.condition(request, "Ready") or {}).get("message")
        self._set(request, "False", "Pending", message)
        if before != message:
            self._tell(request, issuer, "Normal", reason, message)

    def _failed(self, request: Object, issuer: str, reason: str, message: str, error: object) -> None:
        said = f"{message}: {error}"
        self._set(request, "False", "Failed", said)
        request["status"].setdefault("failureTime", meta.now())
        self._tell(request, issuer, "Warning", reason, said)

    def _issued(self, request: Object, issuer: str, certificate: bytes, ca: bytes) -> None:
        said = "Certificate fetched from issuer successfully"
        self._set(request, "True", "Issued", said)
        request["status"]["certificate"] = base64.b64encode(certificate).decode()
        if ca:
            request["status"]["ca"] = base64.b64encode(ca).decode()
        self._tell(request, issuer, "Normal", "CertificateIssued", said)

    def _tell(self, request: Object, issuer: str, kind: str, reason: str, message: str) -> None:
        part = f"certificaterequests-issuer-{issuer}" if issuer else "certificaterequests-issuer"
        self._hub.event(part, request, kind, reason, message)

    # --- signers

    async def _self_signed(self, request: Object) -> None:
        name = meta.annotations(request).get(objects.KEY_SECRET)
        if not name:
            said = f'Annotation "{objects.KEY_SECRET}" missing or reference empty'
            self._failed(request, "selfsigned", "MissingAnnotation", said, "secret name missing")
            return
        secret = await self._hub.secret(meta.namespace(request), name)
        if secret is None:
            said = f"Referenced secret {meta.namespace(request)}/{name} not found"
            self._pending(request, "selfsigned", "MissingSecret", f'{said}: secret "{name}" not found')
            return
        try:
            key = keys.load(policies.value(secret, "tls.key"))
            csr = signing.read_request(policies.request_pem(request))
            if not signing.matches(key, csr):
                raise SigningProblem("CSR not signed by referenced private key")
            certificate = signing.sign(csr, request["spec"], Authority(None, key), _now())
        except (KeyProblem, SigningProblem) as error:
            self._failed(request, "selfsigned", "ErrorGenerating", "Error generating certificate template", error)
            return
        if not csr.subject.rdns:
            self._tell(request, "selfsigned", "Warning", "BadConfig", _EMPTY_NAME)
        pem = signing.dump_chain([certificate])
        self._issued(request, "selfsigned", pem, pem)

    async def _ca(self, request: Object, issuer: Object) -> None:
        try:
            signer, chain = await authority(self._hub, issuer)
        except NoAuthority as error:
            where = f"{self._hub.secrets_of(issuer)}/{issuer['spec']['ca'].get('secretName')}"
            self._pending(request, "ca", "SecretMissing", f"Referenced secret {where} not found: {error}")
            return
        try:
            csr = signing.read_request(policies.request_pem(request))
            certificate = signing.sign(csr, request["spec"], signer, _now())
        except SigningProblem as error:
            self._failed(request, "ca", "SigningError", "Error signing certificate", error)
            return
        self._issued(request, "ca", *signing.split_root([certificate, *chain]))

    async def _acme(self, request: Object, issuer: Object) -> None:
        try:
            names = signing.names_of(signing.read_request(policies.request_pem(request)))
        except SigningProblem as error:
            self._failed(request, "acme", "RequestParsingError", "Failed to decode CSR in spec.request", error)
            return
        if names.common and names.common not in (*names.dns, *names.addresses):
            lack = f'"{names.common}" does not exist in [{" ".join(names.dns)}] or [{" ".join(names.addresses)}]'
            self._failed(request, "acme", "InvalidOrder", _ACME_NAME, lack)
            return
        wanted = _order(request, names, issuer)
        key = meta.key(wanted)
        order = self._hub.get("Order", key)
        if order is None:
            await self._hub.create(wanted)
            self._pending(request, "acme", "OrderCreated", f"Created Order resource {key}")
            return
        status = order.get("status") or {}
        state = status.get("state") or ""
        if state in FAILED_STATES:
            said = f'Failed to wait for order resource "{meta.name(order)}" to become ready'
            why = f'order is in "{state}" state: {status.get("reason") or ""}'
            self._failed(request, "acme", "OrderFailed", said, why)
        elif state != "valid" or not status.get("certificate"):
            self._pending(
                request, "acme", "OrderPending", f'Waiting on certificate issuance from order {key}: "{state}"'
            )
        else:
            # The root is not in an ACME server's chain, so there is no ca.crt.
            self._issued(request, "acme", base64.b64decode(status["certificate"]), b"")


def _order(request: Object, names: signing.Names, issuer: Object) -> Object:
    spec: Object = {"issuerRef": request["spec"]["issuerRef"], "dnsNames": list(names.dns)}
    if names.common:
        spec["commonName"] = names.common
    if names.addresses:
        spec["ipAddresses"] = list(names.addresses)
    if issuer["spec"]["acme"].get("enableDurationFeature") and request["spec"].get("duration"):
        spec["duration"] = request["spec"]["duration"]
    digest = zlib.crc32(orjson.dumps(spec, option=orjson.OPT_SORT_KEYS))
    metadata = {
        "name": f"{meta.name(request)[:52]}-{digest}",
        "namespace": meta.namespace(request),
        "labels": dict(meta.labels(request)),
        "annotations": dict(meta.annotations(request)),
        "ownerReferences": [meta.owner_reference(request)],
    }
    spec["request"] = request["spec"]["request"]
    return {"apiVersion": ORDER.api_version, "kind": "Order", "metadata": metadata, "spec": spec}


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
