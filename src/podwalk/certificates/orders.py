"""Orders: a certificate ordered from an ACME server, with a Challenge for each name that it wants proved.

Upstream: pkg/controller/acmeorders (sync.go, util.go) of cert-manager.
"""

from __future__ import annotations

import base64
import copy
import datetime
import logging
import zlib

from cryptography.hazmat.primitives import serialization

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.certificates import policies, signing
from podwalk.certificates.accounts import Accounts
from podwalk.certificates.acme import Acme, AcmeError
from podwalk.certificates.hub import Hub
from podwalk.certificates.keys import KeyProblem
from podwalk.certificates.kinds import CHALLENGE
from podwalk.certificates.requests import FAILED_STATES
from podwalk.certificates.signing import SigningProblem
from podwalk.client.reconcile import Reconciler

log = logging.getLogger(__name__)

FINALIZER = "acme.cert-manager.io/finalizer"
_TYPES = {"http-01": "HTTP-01", "dns-01": "DNS-01"}
_RETRY_SECONDS = 5.0


class Orders(Reconciler):
    """The controller of Orders."""

    name = "orders"

    def __init__(self, hub: Hub, accounts: Accounts) -> None:
        super().__init__()
        self._hub, self._accounts = hub, accounts

    def watch(self) -> None:
        """Be told of Orders, and of the Challenges that they own."""
        self._hub.informers["Order"].on_change(lambda old, new: self.enqueue(meta.key(new or old or {})))
        self._hub.informers["Challenge"].on_change(lambda old, new: self._challenge_changed(new or old or {}))

    def _challenge_changed(self, challenge: Object) -> None:
        owner = meta.controller_of(challenge)
        if owner and owner.get("kind") == "Order":
            self.enqueue(meta.make_key(meta.namespace(challenge), str(owner["name"])))

    async def reconcile(self, key: str) -> None:
        """Bring one Order a step on. Raises ApiError."""
        found = self._hub.get("Order", key)
        if found is None or meta.is_deleting(found):
            return
        order = copy.deepcopy(found)
        status = order.setdefault("status", {})
        issuer = self._hub.issuer(order["spec"]["issuerRef"], meta.namespace(order))
        if status.get("state") in FAILED_STATES or issuer is None or issuer["spec"].get("acme") is None:
            return
        if status.get("state") == "valid" and status.get("certificate"):
            await self._hub.delete(CHALLENGE, self._hub.owned("Challenge", order))
            return
        try:
            await self._step(order, issuer, await self._accounts.of(issuer))
        except (AcmeError, KeyProblem, SigningProblem) as error:
            if isinstance(error, AcmeError) and 400 <= error.status < 500:
                _set_state(order, "errored")
                status["reason"] = f"Failed to create Order: {error}"
            else:
                # A server that could not be reached is asked again, and will have its reasons.
                unreached = isinstance(error, AcmeError) and not error.status
                log.log(logging.INFO if unreached else logging.WARNING, "order %s: %s", key, error)
                self.enqueue_after(key, _RETRY_SECONDS)
        if status != (found.get("status") or {}):
            await self._hub.update(order)

    async def _step(self, order: Object, issuer: Object, client: Acme) -> None:
        status = order["status"]
        if not status.get("url"):
            await self._create(order, client)
        if status["state"] == "pending":
            await self._challenge(order, issuer, client)
        if status["state"] == "ready":
            csr = signing.read_request(policies.request_pem(order))
            der = csr.public_bytes(serialization.Encoding.DER)
            pem = await client.finalize(status["finalizeURL"], status["url"], der)
            status["certificate"] = base64.b64encode(pem).decode()
            _set_state(order, "valid")
            self._hub.event("orders", order, "Normal", "Complete", "Order completed successfully")
        elif status["state"] in ("valid", "processing"):
            done = await client.wait(status["url"])
            _set_state(order, str(done["status"]))
            if done["status"] == "valid":
                pem = await client.certificate(str(done["certificate"]))
                status["certificate"] = base64.b64encode(pem).decode()

    async def _create(self, order: Object, client: Acme) -> None:
        """Order at the server; what must be proved goes into the status."""
        spec, status = order["spec"], order["status"]
        names = sorted({*(spec.get("dnsNames") or ()), *filter(None, [spec.get("commonName")])})
        until = ""
        if spec.get("duration"):
            until = meta.format_time(datetime.datetime.now(datetime.UTC) + signing.lifetime(spec))
        made = await client.new_order(names, until)
        status["authorizations"] = []
        for url in made.get("authorizations") or ():
            found = await client.get(str(url))
            kinds = ("url", "token", "type")
            status["authorizations"].append(
                {
                    "url": url,
                    "identifier": found["identifier"]["value"],
                    "wildcard": bool(found.get("wildcard")),
                    "initialState": found.get("status"),
                    "challenges": [{k: c[k] for k in kinds if k in c} for c in found.get("challenges") or ()],
                }
            )
        status["url"], status["finalizeURL"] = made["url"], made.get("finalize")
        _set_state(order, str(made["status"]))

    async def _challenge(self, order: Object, issuer: Object, client: Acme) -> None:
        """Make the Challenges that are missing; ask for the order's state when they are done or one has failed."""
        status, have = order["status"], {meta.name(c): c for c in self._hub.owned("Challenge", order)}
        states = []
        for authorization in status["authorizations"]:
            if authorization.get("initialState") == "valid":
                continue
            wanted, lack = _build(order, issuer, authorization, client)
            if wanted is None:
                status["reason"] = f"Failed to create Challenge: {lack}"
                _set_state(order, "errored")
                self._hub.event("orders", order, "Warning", "Solver", lack)
                return
            name = meta.name(wanted)
            present = have.get(name) or self._hub.get("Challenge", meta.key(wanted))
            if present is None:
                await self._hub.create(wanted)
                said = f'Created Challenge resource "{name}" for domain "{wanted["spec"]["dnsName"]}"'
                self._hub.event("orders", order, "Normal", "Created", said)
            states.append(((present or {}).get("status") or {}).get("state"))
        if any(state in FAILED_STATES for state in states) or all(state == "valid" for state in states):
            fresh = await client.get(status["url"])
            _set_state(order, str(fresh["status"]))
            if fresh["status"] == "pending":
                self.enqueue_after(meta.key(order), 1.0)
            elif fresh["status"] == "invalid":
                failed = [
                    a["identifier"] for a, s in zip(status["authorizations"], states, strict=False) if s != "valid"
                ]
                said = f"order authorizations failed: {', '.join(failed)}"
                self._hub.event("orders", order, "Warning", "Failed", f"Order failed: {said}")


def _set_state(order: Object, state: str) -> None:
    order["status"]["state"] = state
    if state in FAILED_STATES:
        order["status"].setdefault("failureTime", meta.now())


def _build(order: Object, issuer: Object, authorization: Object, client: Acme) -> tuple[Object | None, str]:
    """The Challenge for an authorization, or why there can be none."""
    name, wildcard = authorization["identifier"], authorization.get("wildcard")
    solver = solver_for(issuer, name, meta.labels(order))
    offered = {c.get("type"): c for c in authorization.get("challenges") or ()}
    challenge = offered.get("http-01")
    if solver is None or challenge is None or wildcard:
        shown = f"*.{name}" if wildcard else name
        return None, (
            f'Failed to determine a valid solver configuration for the set of domains on the Order: no configured '
            f'challenge solvers can be used for this challenge: "{shown}"'
        )  # fmt: skip
    spec = {
        "authorizationURL": authorization["url"],
        "dnsName": name,
        "issuerRef": order["spec"]["issuerRef"],
        "key": client.key_authorization(str(challenge["token"])),
        "solver": solver,
        "token": challenge["token"],
        "type": "HTTP-01",
        "url": challenge["url"],
        "wildcard": False,
    }
    metadata = {
        "name": f"{meta.name(order)[:52]}-{zlib.crc32(str(challenge['token']).encode())}",
        "namespace": meta.namespace(order),
        "finalizers": [FINALIZER],
        "ownerReferences": [meta.owner_reference(order)],
    }
    return {"apiVersion": CHALLENGE.api_version, "kind": "Challenge", "metadata": metadata, "spec": spec}, ""


def solver_for(issuer: Object, name: str, labels: dict[str, str]) -> Object | None:
    """The solver of an issuer that fits a name best: by dnsNames, then by the longest of dnsZones, then by none."""
    best: tuple[int, int, Object] | None = None
    for solver in issuer["spec"]["acme"].get("solvers") or ():
        selector = solver.get("selector") or {}
        wanted, names = selector.get("matchLabels") or {}, selector.get("dnsNames") or ()
        zones = [z for z in selector.get("dnsZones") or () if name == z or name.endswith("." + z)]
        if "http01" not in solver or any(labels.get(k) != v for k, v in wanted.items()):
            continue
        if (names and name not in names) or (selector.get("dnsZones") and not zones):
            continue
        rank = (1000 if names else max((len(z) for z in zones), default=0), len(wanted))
        if best is None or rank > best[:2]:
            best = (*rank, solver)
    return copy.deepcopy(best[2]) if best else None
