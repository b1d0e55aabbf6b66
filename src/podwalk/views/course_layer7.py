"""What a chapter about Ingress and Gateway does with the cluster, one line a cell."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Callable, Mapping, Sequence

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.backends.base import BackendError, Cluster
from podwalk.checks import http
from podwalk.checks.certificates import Seen
from podwalk.checks.state import at_path, split_ref
from podwalk.course import addons, outside
from podwalk.course.addons import AddonError
from podwalk.course.objects import WaitError, wait_for
from podwalk.views.callers import run_at
from podwalk.views.request_walk import RequestWalk, request_walk
from podwalk.views.route_tree import gateway_routes, nginx_routes
from podwalk.views.rule_tree import RuleTree
from podwalk.views.table import Cell, Table

_SECONDS, _TELLING_SECONDS = 30.0, 5.0
_LABEL = "podwalk.dev/chapter"
_CERTIFICATE_KINDS = ("Ingress", "Certificate", "CertificateRequest", "Order", "Challenge")


class Layer7Course:
    """A mix-in of `OpenCourse`. Places are as in `ServiceCourse`. Methods raise BackendError."""

    cluster: Cluster

    def addon(self, name: str) -> str:
        """Install an add-on, unless it runs; what it is."""
        try:
            with self.cluster.client() as client:
                if not addons.missing(client, [name]):
                    return f"{name} is installed"
            return "\n".join(addons.install(self.cluster, name))
        except AddonError as error:
            raise BackendError(str(error)) from error

    def outside_knows(self, **names: str) -> str:
        """Let the outside know names of this chapter, and no others: ``shop="Service ns/name"`` is ``shop.example``."""
        hosts = {f"{name.replace('_', '-')}.example": target for name, target in names.items()}
        try:
            with self.cluster.client() as client:
                outside.add(self.cluster, client, _LABEL, hosts, _SECONDS)
        except WaitError as error:
            raise BackendError(f"{error}; look: kubectl get services,gateways -A") from error
        return ", ".join(hosts) or "nothing"

    def request_walk(self, place: str, url: str, proxy: str) -> RequestWalk:
        """One request through a proxy's Deployment (``namespace/name``), with the two connections that it takes."""
        return request_walk(self.cluster, place, url, proxy)

    def nginx_routes(self, deployment: str = "ingress-nginx/ingress-nginx-controller") -> RuleTree:
        """The servers and locations of an nginx as it runs."""
        return nginx_routes(self.cluster, deployment)

    def gateway_routes(self, gateway: str) -> RuleTree:
        """The listeners of a Gateway (``namespace/name``) and the routes that it has accepted, or not."""
        self._until_told("HTTPRoute")
        return gateway_routes(self.cluster, gateway)

    def answers(self, place: str, urls: Sequence[str], headers: Mapping[str, str] | None = None) -> Table:
        """One request each: how it ended, where it was sent on to, and the beginning of what came."""
        extra = " ".join(f"-H {http.quoted(f'{k}: {v}')}" for k, v in (headers or {}).items())
        rows = []
        for url in urls:
            script = http.script(url, 1, 5.0, options=f"-k {extra}")
            answer = next(iter(http.parse(run_at(self.cluster, place, script).stdout)), None)
            outcome = answer.outcome if answer else "no answer at all"
            good = outcome.startswith(("HTTP 2", "HTTP 3"))
            rows.append([Cell(url), Cell(outcome, bad=not good), Cell(_gist(answer.body) if answer else "")])
        return Table(f"One request each, from {place}", ["to", "ended with", "and came with"], rows)

    def until_answer(self, place: str, url: str, outcome: str = "HTTP 200", words: str = "") -> str:
        """Ask until the answer is this one, with these words in it: a controller takes a moment to learn of a change.

        Returns the answer in a line.
        """
        found = [""]

        def missing() -> str:
            script = http.script(url, 1, 2.0, options="-k")
            answers = http.parse(run_at(self.cluster, place, script).stdout)
            found[0] = f"{http.tally(answers)}: {_gist(answers[0].body)}" if answers else "no answer at all"
            good = bool(answers) and answers[0].outcome == outcome and words in answers[0].body
            return "" if good else f"{url}: {found[0]}, not {outcome}{f' with {words!r}' * bool(words)}"

        _wait(missing, "kubectl get ingress,httproute -A")
        return found[0]

    def until_signed_by(self, secret: str, issuer: str) -> str:
        """Wait until the certificate in a Secret (``namespace/name``) is signed by somebody of this name."""
        namespace, name = split_ref(secret)
        found = [""]

        def missing() -> str:
            with self.cluster.client() as client:
                data = (client.find("Secret", name, namespace) or {}).get("data") or {}
            try:
                found[0] = Seen.parse(base64.b64decode(data.get("tls.crt", "")).decode()).issuer
            except ValueError:
                found[0] = "nobody"
            return "" if issuer in found[0] else f"secret/{name}: is signed by {found[0]}, not by {issuer}"

        _wait(missing, f"kubectl -n {namespace} describe certificate,order,challenge")
        return f"secret/{name}: signed by {found[0]}"

    def certificate_steps(self, namespace: str) -> Table:
        """What has been said, in its order, of the certificates of a namespace and of all that was made for them."""
        with self.cluster.client() as client:
            events = client.list("Event", namespace)
        told = [e for e in events if e["involvedObject"]["kind"] in _CERTIFICATE_KINDS and _by(e, "cert-manager")]
        rows = []
        for event in sorted(told, key=lambda e: (e.get("firstTimestamp") or "", int(e["metadata"]["resourceVersion"]))):
            about = event["involvedObject"]
            rows.append([Cell(about["kind"], about["name"]), Cell(event["reason"]), Cell(event["message"])])
        return Table(f"The certificates of {namespace}, step by step", ["object", "reason", "message"], rows)

    def make_certificate(self, secret: str, host: str) -> str:
        """Sign a certificate for a host with its own key, and put both into a Secret (``namespace/name``)."""
        namespace, name = split_ref(secret)
        about = f"-days 30 -subj /CN={host} -addext subjectAltName=DNS:{host}"
        script = f"openssl req -x509 -newkey rsa:2048 -nodes {about} -keyout /dev/stdout 2>/dev/null"
        pem = self.cluster.outside(["sh", "-c", script], timeout=20).stdout
        key, cut, cert = pem.partition("-----BEGIN CERTIFICATE-----")
        data = {"tls.crt": cut + cert, "tls.key": key}
        about_it = {"name": name, "namespace": namespace}
        with self.cluster.client() as client:
            client.apply(
                {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": about_it,
                 "stringData": data}, field_manager="podwalk",
            )  # fmt: skip
        return f"secret/{name}: a certificate for {host} and its key"

    def until_said(self, namespace: str, reason: str) -> str:
        """Wait until an event with this reason is there; its message."""
        found = [""]

        def missing() -> str:
            with self.cluster.client() as client:
                found[0] = next((e["message"] for e in client.list("Event", namespace) if e["reason"] == reason), "")
            return "" if found[0] else f"no event {reason} in {namespace}"

        _wait(missing, f"kubectl -n {namespace} get events")
        return found[0]

    def apply(self, manifest: str) -> str:
        """Apply a file of the chapter's; what kubectl says."""
        done = self.cluster.kubectl("apply", "-f", manifest)
        if not done.ok:
            raise BackendError(f"{manifest}: {done.stderr.strip().splitlines()[-1]}; look at the file")
        return done.stdout.strip()

    def certificates(self, address: str, *names: str) -> Table:
        """Whose certificate a server shows to those who ask for each of these names (SNI)."""
        rows = []
        for name in names:
            script = f"openssl s_client -connect {address}:443 -servername {name} </dev/null 2>/dev/null"
            try:
                seen = Seen.parse(run_at(self.cluster, "outside", script).stdout)
            except ValueError:
                rows.append([Cell(name), Cell("none", bad=True), Cell(""), Cell("")])
                continue
            fits = seen.covers(name)
            rows.append(
                [Cell(name), Cell(", ".join(sorted(seen.names)), bad=not fits), Cell(seen.issuer),
                 Cell(f"{seen.not_after:%Y-%m-%d %H:%M}")]
            )  # fmt: skip
        return Table(f"Certificates of {address}", ["asked for", "is for", "signed by", "valid until"], rows)

    def conditions(self, kind: str, ref: str) -> Table:
        """What a controller says of an object (``namespace/name``) in its conditions; of a route, for each parent."""
        namespace, name = split_ref(ref)
        self._until_told(kind, namespace, name)
        with self.cluster.client() as client:
            found = client.get(kind, name, namespace)
        status = found.get("status") or {}
        rows = []
        for group in [status, *(at_path(found, "status.parents") or ())]:
            for condition in group.get("conditions") or ():
                good = condition["status"] == "True"
                rows.append(
                    [Cell(condition["type"]), Cell(condition["status"], bad=not good), Cell(condition["reason"]),
                     Cell(http.shorten(condition.get("message", ""), 90))]
                )  # fmt: skip
        foot = "" if rows else "Nobody has said anything of it."
        return Table(f"{kind} {meta.key(found)}", ["condition", "status", "reason", "message"], rows, foot)

    def _until_told(self, kind: str, namespace: str | None = None, name: str = "") -> None:
        """Give a controller the moment that it takes to say of the newest generation what it has said of the last."""

        def stale() -> str:
            with self.cluster.client() as client:
                listed = [o for o in client.list(kind, namespace) if name in ("", meta.name(o))]
            return ", ".join(f"{kind} {meta.key(o)}: of a former generation" for o in listed if _former(o))

        with contextlib.suppress(WaitError):
            wait_for(stale, _TELLING_SECONDS)


def _former(obj: Object) -> bool:
    """Whether a condition of an object, or of one of its parents, is told of a generation before this one."""
    groups = [obj.get("status") or {}, *(at_path(obj, "status.parents") or ())]
    generation = obj["metadata"].get("generation", 0)
    return any(c.get("observedGeneration", generation) < generation for g in groups for c in g.get("conditions") or ())


def _by(event: Object, component: str) -> bool:
    who = event.get("reportingComponent") or (event.get("source") or {}).get("component") or ""
    return str(who).startswith(component)


def _gist(body: str) -> str:
    """The first line of a body; of a page its title."""
    title = re.search(r"<title>(.*?)</title>", body)
    return http.shorten(title[1] if title else body)


def _wait(missing: Callable[[], str], look: str) -> None:
    try:
        wait_for(missing, _SECONDS)
    except WaitError as error:
        raise BackendError(f"{error}; look: {look}") from error
