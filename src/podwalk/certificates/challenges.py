"""Challenges: present the answer, look whether it can be fetched, and only then ask the ACME server to look.

Upstream: pkg/controller/acmechallenges (sync.go, scheduler) and pkg/issuer/acme/http/http.go of cert-manager. Like
upstream it looks five times before it believes what it sees, for a proxy that takes up a new configuration answers with
the old one now and then; a fifth of a second apart where upstream takes two, and after a failure again in half a
second, later two, where upstream waits ten.
"""

from __future__ import annotations

import asyncio
import copy
import datetime
import logging

import aiohttp

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.certificates import solver, web
from podwalk.certificates.accounts import Accounts
from podwalk.certificates.acme import Acme, AcmeError, problem
from podwalk.certificates.hub import Hub
from podwalk.certificates.keys import KeyProblem
from podwalk.certificates.orders import FINALIZER
from podwalk.certificates.requests import FAILED_STATES
from podwalk.client.dialing import connector
from podwalk.client.reconcile import Reconciler

log = logging.getLogger(__name__)

_FIRST_RETRY, _RETRY_SECONDS, _YOUNG = 0.5, 2.0, datetime.timedelta(seconds=10)
_PASSES, _PASS_SECONDS = 5, 0.2
# Longer than an ingress controller waits for a Pod that is silent (proxy-connect-timeout, 5 s): its 504 says more.
_TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=3)
_BODY_LIMIT = 4096
_SHOWN = 100
_KINDS = ("Pod", "Service", "Ingress")


class Challenges(Reconciler):
    """The controller of Challenges. ``image`` is that of the solver's Pods."""

    name = "challenges"

    def __init__(self, hub: Hub, accounts: Accounts, image: str) -> None:
        super().__init__()
        self._hub, self._accounts, self._image = hub, accounts, image

    def watch(self) -> None:
        """Be told of Challenges, and of the objects that answer them."""
        self._hub.informers["Challenge"].on_change(lambda old, new: self.enqueue(meta.key(new or old or {})))
        for kind in _KINDS:
            self._hub.informers[kind].on_change(lambda old, new: self._answer_changed(new or old or {}))

    def _answer_changed(self, obj: Object) -> None:
        owner = meta.controller_of(obj)
        if owner and owner.get("kind") == "Challenge":
            self.enqueue(meta.make_key(meta.namespace(obj), str(owner["name"])))

    async def reconcile(self, key: str) -> None:
        """Bring one Challenge a step on. Raises ApiError."""
        found = self._hub.get("Challenge", key)
        if found is None:
            return
        if meta.is_deleting(found):
            await self._finalize(found)
            return
        challenge = copy.deepcopy(found)
        status = challenge.setdefault("status", {})
        issuer = self._hub.issuer(challenge["spec"]["issuerRef"], meta.namespace(challenge))
        if status.get("state") in (*FAILED_STATES, "valid"):
            if status.get("presented") or status.get("processing"):
                await self._clean_up(challenge)
                status["presented"] = status["processing"] = False
        elif issuer is not None and not self._waits(challenge):
            try:
                await self._step(challenge, await self._accounts.of(issuer))
            except (AcmeError, KeyProblem) as error:
                status["reason"] = str(error)
                self.enqueue_after(key, _RETRY_SECONDS)
        if status != (found.get("status") or {}):
            await self._hub.update(challenge)

    def _waits(self, challenge: Object) -> bool:
        """Whether an older challenge for the same name is not done (the scheduler solves one at a time)."""

        def age(one: Object) -> tuple[str, str]:
            return str(one["metadata"].get("creationTimestamp")), meta.key(one)

        for other in self._hub.informers["Challenge"].all():
            same = other["spec"]["dnsName"] == challenge["spec"]["dnsName"]
            done = (other.get("status") or {}).get("state") in (*FAILED_STATES, "valid")
            if same and not done and age(other) < age(challenge):
                self.enqueue_after(meta.key(challenge), _RETRY_SECONDS)
                return True
        return False

    async def _step(self, challenge: Object, client: Acme) -> None:
        status, spec = challenge["status"], challenge["spec"]
        if not status.get("processing"):
            status["processing"] = True
            self._event(challenge, "Normal", "Started", "Challenge scheduled for processing")
        if not status.get("state"):
            now = await client.get(spec["url"])
            status["state"] = now["status"]
            status["reason"] = str((now.get("error") or {}).get("detail") or "")
            if now["status"] != "pending":
                return
        await self._present(challenge)
        if not status.get("presented"):
            status["presented"] = True
            said = f"Presented challenge using {spec['type']} challenge mechanism"
            self._event(challenge, "Normal", "Presented", said)
        lack = await propagated(spec["dnsName"], spec["token"], spec["key"])
        if lack:
            status["reason"] = f"Waiting for {spec['type']} challenge propagation: {lack}"
            age = datetime.datetime.now(datetime.UTC) - meta.parse_time(challenge["metadata"]["creationTimestamp"])
            self.enqueue_after(meta.key(challenge), _FIRST_RETRY if age < _YOUNG else _RETRY_SECONDS)
            return
        await self._accept(challenge, client)

    async def _accept(self, challenge: Object, client: Acme) -> None:
        status, spec = challenge["status"], challenge["spec"]
        await client.accept(spec["url"])
        done = await client.wait(spec["authorizationURL"])
        status["state"] = done["status"]
        if done["status"] == "valid":
            status["reason"] = "Successfully authorized domain"
            said = f'Domain "{spec["dnsName"]}" verified with "{spec["type"]}" validation'
            self._event(challenge, "Normal", "DomainVerified", said)
            return
        errors = [problem(c["error"]) for c in done.get("challenges") or () if c.get("error")]
        said = f"acme: authorization error for {spec['dnsName']}: {'; '.join(errors) or done['status']}"
        status["reason"] = f"Error accepting authorization: {said}"
        self._event(challenge, "Warning", "Failed", f"Accepting challenge authorization failed: {said}")

    def _event(self, challenge: Object, kind: str, reason: str, message: str) -> None:
        self._hub.event("challenges", challenge, kind, reason, message)

    # --- what answers

    async def _present(self, challenge: Object) -> None:
        """Have Pod, Service and Ingress there, each once; made again where somebody took one away."""
        have = {}
        for kind in _KINDS:
            mine = [o for o in self._hub.owned(kind, challenge) if not meta.is_deleting(o)]
            await self._hub.delete(kind, mine[1:])
            have[kind] = mine[0] if mine else None
        if not (challenge["status"].get("presented") or any(have.values())):
            # The cache may be behind what a try before this one has made.
            have = {kind: await self._listed(kind, challenge) for kind in _KINDS}
        if have["Pod"] is None:
            await self._hub.create(solver.pod(challenge, self._image))
        service = have["Service"] or await self._hub.create(solver.service(challenge))
        if have["Ingress"] is None:
            await self._hub.create(solver.ingress(challenge, meta.name(service)))

    async def _listed(self, kind: str, challenge: Object) -> Object | None:
        selector = ",".join(f"{k}={v}" for k, v in solver.labels(challenge).items())
        found = await self._hub.client.list(kind, meta.namespace(challenge), label_selector=selector)
        owned = (o for o in found["items"] if (meta.controller_of(o) or {}).get("uid") == meta.uid(challenge))
        return next(owned, None)

    async def _clean_up(self, challenge: Object) -> None:
        for kind in reversed(_KINDS):
            await self._hub.delete(kind, self._hub.owned(kind, challenge))

    async def _finalize(self, challenge: Object) -> None:
        finalizers = challenge["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            return
        await self._clean_up(challenge)
        rest = [f for f in finalizers if f != FINALIZER]
        try:
            await self._hub.update(
                {**challenge, "metadata": {**challenge["metadata"], "finalizers": rest}}, status=False
            )
        except ApiError as error:
            if error.reason != "NotFound":
                raise


async def propagated(name: str, token: str, key: str) -> str:
    """Fetch a challenge's answer five times in a row; empty where it was always right, else what was wrong first."""
    for left in reversed(range(_PASSES)):
        if lack := await reachable(name, token, key):
            return lack
        if left:
            await asyncio.sleep(_PASS_SECONDS)
    return ""


async def reachable(name: str, token: str, key: str) -> str:
    """Fetch a challenge's answer as the server will; empty where it is right, else what is wrong (testReachability)."""
    url = f"http://{name}{solver.PATH}/{token}"
    try:
        # Redirects are followed, and a certificate need not be right: one is being asked for.
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, connector=connector(ssl=False)) as session,
            session.get(url, headers={"User-Agent": "cert-manager-challenges"}) as answer,
        ):
            if answer.status != 200:
                return f"wrong status code '{answer.status}', expected '200'"
            body = (await web.read(answer, _BODY_LIMIT)).decode(errors="replace")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return f"failed to perform self check GET request '{url}': {web.request_failed('GET', url, error)}"
    body = body.rstrip()
    if body != key:
        shown = body if len(body) <= _SHOWN else f"{body[:_SHOWN]}... (truncated)"
        return f'did not get expected response when querying endpoint, expected "{key}" but got: {shown}'
    return ""
