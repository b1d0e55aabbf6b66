"""Certificates: when one is issued, with which key, by which request, and what stands in its Secret afterwards.

Upstream: pkg/controller/certificates, whose controllers (trigger, keymanager, requestmanager, issuing, readiness,
revisionmanager) are steps of one here; each writes its Events under its own name.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import datetime
import logging

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.certificates import keys, objects, policies, signing
from podwalk.certificates.hub import Hub, set_condition
from podwalk.certificates.keys import KeyProblem, PrivateKey
from podwalk.certificates.kinds import CERTIFICATE_REQUEST
from podwalk.certificates.policies import Input
from podwalk.certificates.signing import SigningProblem
from podwalk.client.reconcile import Reconciler

log = logging.getLogger(__name__)

_FIRST_BACKOFF = datetime.timedelta(hours=1)
_LAST_BACKOFF = datetime.timedelta(hours=32)
_NOT_OWNER_SECONDS = 180.0
_HISTORY = 1
_MANAGER = "cert-manager-certificates-issuing"


class Certificates(Reconciler):
    """The controller of Certificates; keys are ``namespace/name``."""

    name = "certificates"

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self._hub = hub

    def watch(self) -> None:
        """Be told of Certificates, of their requests, and of the Secrets that they name or own."""
        informers = self._hub.informers
        informers["Certificate"].on_change(lambda old, new: self.enqueue(meta.key(new or old or {})))
        informers["CertificateRequest"].on_change(lambda old, new: self._owner_of(new or old or {}))
        informers["Secret"].on_change(lambda old, new: self._secret_changed(new or old or {}))

    def _owner_of(self, obj: Object) -> None:
        owner = meta.controller_of(obj)
        if owner and owner.get("kind") == "Certificate":
            self.enqueue(meta.make_key(meta.namespace(obj), str(owner["name"])))

    def _secret_changed(self, secret: Object) -> None:
        self._owner_of(secret)
        for certificate in self._hub.informers["Certificate"].in_namespace(meta.namespace(secret)):
            if (certificate.get("spec") or {}).get("secretName") == meta.name(secret):
                self.enqueue(meta.key(certificate))

    async def reconcile(self, key: str) -> None:
        """Bring one Certificate a step on. Raises ApiError."""
        found = self._hub.get("Certificate", key)
        if found is None or meta.is_deleting(found):
            return
        crt = copy.deepcopy(found)
        given = self._input(crt)
        if self._readiness(crt, given):
            crt = await self._write(crt)
        if not meta.condition_is_true(crt, "Issuing"):
            crt = await self._put_away(crt)
            started = await self._trigger(crt, given)
            if started is None:
                return
            crt = started
        await self._issue(crt)

    async def _write(self, crt: Object) -> Object:
        return copy.deepcopy(await self._hub.update(crt))

    def _event(self, part: str, crt: Object, kind: str, reason: str, message: str) -> None:
        self._hub.event(f"certificates-{part}", crt, kind, reason, message)

    def _input(self, crt: Object) -> Input:
        name = meta.make_key(meta.namespace(crt), str(crt["spec"].get("secretName")))
        current = int((crt.get("status") or {}).get("revision") or 0)
        request = next((r for r in self._requests(crt) if objects.revision(r) == current), None)
        return Input(crt, self._hub.get("Secret", name), request, datetime.datetime.now(datetime.UTC))

    def _requests(self, crt: Object) -> list[Object]:
        return self._hub.owned("CertificateRequest", crt)

    # --- readiness

    def _readiness(self, crt: Object, given: Input) -> bool:
        """Set the condition Ready and the times of the status; whether anything changed."""
        verdict = policies.not_ready(given)
        if verdict is None:
            changed = set_condition(crt, "Ready", "True", "Ready", "Certificate is up to date and has not expired")
        else:
            changed = set_condition(crt, "Ready", "False", *verdict)
        times: dict[str, str | None] = dict.fromkeys(("notBefore", "notAfter", "renewalTime"))
        try:
            leaf = signing.read_chain(given.data("tls.crt"))[0]
            begin, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
            times["notBefore"], times["notAfter"] = meta.format_time(begin), meta.format_time(end)
            renewal = signing.renewal_time(begin, end, given.spec)
            times["renewalTime"] = meta.format_time(renewal)
            for moment in (renewal, end):
                if moment > given.now:
                    self.enqueue_after(meta.key(crt), (moment - given.now).total_seconds() + 0.01)
                    break
        except SigningProblem:
            pass  # no certificate, no times
        status = crt["status"]
        for field, text in times.items():
            if status.get(field) != text:
                changed = True
                if text is None:
                    status.pop(field)
                else:
                    status[field] = text
        return changed

    # --- trigger

    async def _trigger(self, crt: Object, given: Input) -> Object | None:
        """Begin an issuance where one is due; the Certificate as it was written, or None."""
        if not self._owns_secret(crt, given.secret):
            self.enqueue_after(meta.key(crt), _NOT_OWNER_SECONDS)
            return None
        wait = self._backoff(crt, given.now)
        if wait > datetime.timedelta():
            self.enqueue_after(meta.key(crt), wait.total_seconds())
            return None
        verdict = policies.reissue(given)
        if verdict is None:
            return None
        set_condition(crt, "Issuing", "True", *verdict)
        crt = await self._write(crt)
        self._event("trigger", crt, "Normal", "Issuing", verdict[1])
        return crt

    def _owns_secret(self, crt: Object, secret: Object | None) -> bool:
        """Of several Certificates that name one Secret, the one that the Secret names issues, else the oldest."""
        wanted = crt["spec"].get("secretName")
        rivals = [
            c
            for c in self._hub.informers["Certificate"].in_namespace(meta.namespace(crt))
            if (c.get("spec") or {}).get("secretName") == wanted
        ]
        named = meta.annotations(secret).get(policies.CERTIFICATE_NAME) if secret else None
        if named in {meta.name(c) for c in rivals}:
            return named == meta.name(crt)
        first = min(rivals, key=lambda c: (str(c["metadata"].get("creationTimestamp")), meta.name(c)), default=crt)
        return meta.name(first) == meta.name(crt)

    def _backoff(self, crt: Object, now: datetime.datetime) -> datetime.timedelta:
        """How long a failed issuance is not tried again: an hour, doubled by each failure, unless the spec changed."""
        status = crt.get("status") or {}
        if not status.get("lastFailureTime"):
            return datetime.timedelta()
        following = int(status.get("revision") or 0) + 1
        for request in self._requests(crt):
            if objects.revision(request) == following and policies.request_violations(request, crt["spec"]):
                return datetime.timedelta()
        attempts = int(status.get("failedIssuanceAttempts") or 1)
        delay = min(_FIRST_BACKOFF * (1 << min(attempts - 1, 10)), _LAST_BACKOFF)
        return max(meta.parse_time(status["lastFailureTime"]) + delay - now, datetime.timedelta())

    # --- the next key

    async def _put_away(self, crt: Object) -> Object:
        """Nothing is being issued: the next key goes."""
        spare = [s for s in self._hub.owned("Secret", crt) if meta.labels(s).get(objects.NEXT_KEY) == "true"]
        await self._hub.delete("Secret", spare)
        if (crt.get("status") or {}).pop("nextPrivateKeySecretName", None):
            return await self._write(crt)
        return crt

    async def _next_key(self, crt: Object) -> tuple[Object, PrivateKey] | None:
        """The Certificate and its next key, made and kept in a Secret of its own where there is none yet."""
        namespace, name = meta.namespace(crt), crt["status"].get("nextPrivateKeySecretName")
        secret = await self._hub.secret(namespace, name) if name else None
        if secret is not None:
            try:
                key = keys.load(policies.value(secret, "tls.key"))
                wrong = keys.violations(key, crt["spec"])
            except KeyProblem:
                await self._hub.delete("Secret", [secret])
                return None
            if wrong:
                said = f"Regenerating private key due to change in fields: [{' '.join(wrong)}]"
                self._event("key-manager", crt, "Normal", "Deleted", said)
                await self._hub.delete("Secret", [secret])
                return None
            return crt, key
        kept = await self._kept_key(crt)
        if kept is None:
            return None
        key, reused = kept
        secret = await self._hub.create(objects.key_secret(crt, key, name))
        said = (
            f'Reusing private key stored in existing Secret resource "{crt["spec"]["secretName"]}"'
            if reused
            else f'Stored new private key in temporary Secret resource "{meta.name(secret)}"'
        )
        self._event("key-manager", crt, "Normal", "Reused" if reused else "Generated", said)
        if crt["status"].get("nextPrivateKeySecretName") != meta.name(secret):
            crt["status"]["nextPrivateKeySecretName"] = meta.name(secret)
            crt = await self._write(crt)
        return crt, key

    async def _kept_key(self, crt: Object) -> tuple[PrivateKey, bool] | None:
        """A key for the next certificate, and whether it is the old one (rotationPolicy Never)."""
        spec = crt["spec"]
        if ((spec.get("privateKey") or {}).get("rotationPolicy") or "Always") == "Never":
            old = await self._hub.secret(meta.namespace(crt), spec["secretName"])
            if old is not None and policies.value(old, "tls.key"):
                try:
                    key = keys.load(policies.value(old, "tls.key"))
                except KeyProblem:
                    said = f'Failed to decode private key stored in Secret "{spec["secretName"]}" - generating new key'
                    self._event("key-manager", crt, "Warning", "DecodeFailed", said)
                else:
                    wrong = keys.violations(key, spec)
                    if not wrong:
                        return key, True
                    self._event(
                        "key-manager", crt, "Warning", "CannotRegenerateKey", objects.cannot_regenerate(spec, wrong)
                    )
                    return None
        try:
            return await asyncio.to_thread(keys.generate, spec), False
        except KeyProblem as error:
            self._event("key-manager", crt, "Warning", "CannotGenerateKey", str(error))
            return None

    # --- the request

    async def _request(self, crt: Object, key: PrivateKey) -> Object | None:
        """The request of the next revision; None while it is only being made."""
        following = int(crt["status"].get("revision") or 0) + 1
        right = []
        for request in self._requests(crt):
            if objects.revision(request) != following:
                continue
            if self._outdated(crt, key, request):
                await self._hub.delete(CERTIFICATE_REQUEST, [request])
            else:
                right.append(request)
        if right:
            return right[0]
        try:
            pem = signing.request(crt["spec"], key)
        except SigningProblem as error:
            log.error("%s: Failed to generate CSR - will not retry: %s", meta.key(crt), error)
            self._event("request-manager", crt, "Warning", "RequestFailed", f"Failed to create CSR: {error}")
            return None
        made = await self._hub.create(objects.certificate_request(crt, pem, following))
        said = f'Created new CertificateRequest resource "{meta.name(made)}"'
        self._event("request-manager", crt, "Normal", "Requested", said)
        return None

    def _outdated(self, crt: Object, key: PrivateKey, request: Object) -> bool:
        """Whether a request of the next revision is of no use: another spec, another key, or failed before."""
        try:
            csr = signing.read_request(policies.request_pem(request))
        except SigningProblem:
            return True
        if policies.request_violations(request, crt["spec"]) or not signing.matches(key, csr):
            return True
        ready, issuing = meta.condition(request, "Ready"), meta.condition(crt, "Issuing")
        failed = (request.get("status") or {}).get("failureTime")
        return bool(
            failed and ready and issuing and ready.get("reason") == "Failed" and failed < issuing["lastTransitionTime"]
        )

    # --- issuing

    async def _issue(self, crt: Object) -> None:
        made = await self._next_key(crt)
        if made is None:
            return
        crt, key = made
        request = await self._request(crt, key)
        if request is None:
            return
        ready, denied = meta.condition(request, "Ready"), meta.condition(request, "Denied")
        if ready is None and denied and denied.get("status") == "True":
            await self._fail(crt, denied)
        elif ready and ready.get("reason") == "Failed":
            await self._fail(crt, ready)
        elif ready and ready.get("reason") == "Issued":
            await self._store(crt, request, key)

    async def _fail(self, crt: Object, why: Object) -> None:
        said = f"The certificate request has failed to complete and will be retried: {why.get('message') or ''}"
        status = crt["status"]
        status["lastFailureTime"] = meta.now()
        status["failedIssuanceAttempts"] = int(status.get("failedIssuanceAttempts") or 0) + 1
        set_condition(crt, "Issuing", "False", why["reason"], said)
        crt = await self._write(crt)
        self._event("issuing", crt, "Warning", why["reason"], said)

    async def _store(self, crt: Object, request: Object, key: PrivateKey) -> None:
        status = request["status"]
        chain = base64.b64decode(status["certificate"])
        data = {
            "tls.crt": chain,
            "tls.key": keys.dump(key, (crt["spec"].get("privateKey") or {}).get("encoding") or ""),
        }
        if status.get("ca"):
            data["ca.crt"] = base64.b64decode(status["ca"])
        old = await self._hub.secret(meta.namespace(crt), crt["spec"]["secretName"])
        secret = objects.tls_secret(crt, data, str((old or {}).get("type") or "kubernetes.io/tls"))
        await self._hub.apply(secret, _MANAGER)
        fresh = crt["status"]
        fresh["revision"] = objects.revision(request)
        fresh["conditions"] = [c for c in fresh["conditions"] if c["type"] != "Issuing"]
        for field in ("lastFailureTime", "failedIssuanceAttempts"):
            fresh.pop(field, None)
        crt = await self._write(crt)
        self._event("issuing", crt, "Normal", "Issuing", "The certificate has been successfully issued")
        keep = int(crt["spec"].get("revisionHistoryLimit") or _HISTORY)
        old_requests = [r for r in self._requests(crt) if objects.revision(r) <= fresh["revision"] - keep]
        await self._hub.delete(CERTIFICATE_REQUEST, old_requests)
