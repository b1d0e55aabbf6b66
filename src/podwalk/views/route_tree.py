"""What a proxy does with a request, as a tree: read from the proxy's own configuration, or from a Gateway's routes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.backends.base import BackendError, Cluster
from podwalk.checks.state import Live, State, at_path, split_ref
from podwalk.views.rule_tree import Branch, RuleTree

_CONF = "/etc/nginx/nginx.conf"
_SERVER = re.compile(r"^    server \{$(.*?)^    \}$", re.DOTALL | re.MULTILINE)
_UPSTREAM = re.compile(r"^    upstream (\S+) \{$(.*?)^    \}$", re.DOTALL | re.MULTILINE)
_LOCATION = re.compile(r"^        location (.+?) \{(.*?)\}$", re.DOTALL | re.MULTILINE)


def nginx_routes(cluster: Cluster, deployment: str) -> RuleTree:
    """The servers and locations in the nginx.conf of a controller (``namespace/deployment``). Raises BackendError."""
    namespace, name = split_ref(deployment)
    done = cluster.kubectl("exec", "-n", namespace, f"deploy/{name}", "--", "cat", _CONF, timeout=20)
    if not done.ok:
        said = done.stderr.strip().splitlines()[-1:] or ["it says nothing"]
        raise BackendError(f"deployment/{name}: {said[0]}; look: kubectl -n {namespace} get pods")
    return RuleTree("nginx", name, _CONF, nginx_tree(done.stdout))


def nginx_tree(text: str) -> tuple[Branch, ...]:
    """A branch for each server of an nginx.conf: its name, its locations, the upstream of each and its servers."""
    upstreams = {name: re.findall(r"server (\S+)", body) for name, body in _UPSTREAM.findall(text)}
    roots = []
    for body in _SERVER.findall(text):
        name = (re.findall(r"server_name (.+);", body) or ["_"])[0]
        locations = tuple(_location(where, what, upstreams) for where, what in _LOCATION.findall(body))
        known = "any other host" if name == "_" else "the Host header"
        roots.append(Branch(f"server {name}", known, "hook", below=locations))
    # The first server is for those whom nobody else means; it is asked last.
    return (*roots[1:], *roots[:1])


def _location(where: str, body: str, upstreams: dict[str, list[str]]) -> Branch:
    exact, pattern = where.startswith("= "), where.startswith("~")
    note = "exactly" if exact else "a regular expression" if pattern else "and what begins so"
    head = where.removeprefix("= ").removeprefix("~* ").strip('"')
    if (code := re.search(r"return (\d+)", body)) is not None:
        return Branch(head, note, "other", below=(Branch(f"return {code[1]}", "", "end"),))
    rewrite = re.search(r"rewrite \S+ (\S+)", body)
    passed = re.search(r"proxy_pass \w+://([^;/]+)", body)
    below: tuple[Branch, ...] = ()
    if passed is not None:
        legs = tuple(Branch(endpoint, "", "leg") for endpoint in upstreams.get(passed[1], ()))
        below = (Branch(passed[1], "upstream", "map", below=legs),)
    if rewrite is not None:
        below = (Branch(f"the path becomes {rewrite[1]}", "", "mark"), *below)
    return Branch(head, note, "other", below=below)


def gateway_routes(cluster: Cluster, gateway: str) -> RuleTree:
    """The listeners of a Gateway (``namespace/name``), the HTTPRoutes that name it, and what becomes of each."""
    namespace, name = split_ref(gateway)
    with cluster.client() as client:
        found = client.find("Gateway", name, namespace)
        if found is None:
            raise BackendError(f"gateway/{name}: is not there; look: kubectl -n {namespace} get gateways")
        routes = [r for r in client.list("HTTPRoute") if list(_parents(r, namespace, name))]
        state = State(Live(client))
        roots = tuple(_listener(listener, found, routes, state) for listener in found["spec"]["listeners"])
        strays = tuple(_stray(r, found) for r in routes if not _accepted(r, found))
    address = next((a["value"] for a in at_path(found, "status.addresses") or ()), "no address yet")
    return RuleTree(gateway, address, "kubectl get gateway,httproute -o yaml", (*roots, *strays))


def _parents(route: Object, namespace: str, name: str) -> Iterable[Object]:
    for ref in route["spec"].get("parentRefs") or ():
        if ref["name"] == name and ref.get("namespace", meta.namespace(route)) == namespace:
            yield ref


def _statuses(route: Object, gateway: Object) -> list[Object]:
    """What the controller says of the route's parents that are this Gateway."""
    return [
        parent
        for parent in at_path(route, "status.parents") or ()
        if parent["parentRef"]["name"] == meta.name(gateway)
        and parent["parentRef"].get("namespace", meta.namespace(route)) == meta.namespace(gateway)
    ]


def _accepted(route: Object, gateway: Object, listener: str = "") -> bool:
    return any(
        c["type"] == "Accepted" and c["status"] == "True"
        for parent in _statuses(route, gateway)
        if not listener or parent["parentRef"].get("sectionName") in (None, listener)
        for c in parent.get("conditions") or ()
    )


def _listener(listener: Object, gateway: Object, routes: list[Object], state: State) -> Branch:
    host = listener.get("hostname", "any host")
    mine = [r for r in routes if _accepted(r, gateway, listener["name"])]
    below = tuple(_route(r, gateway, state) for r in mine)
    return Branch(f"{listener['protocol']} {listener['port']}", f"{listener['name']}, {host}", "hook", below=below)


def _route(route: Object, gateway: Object, state: State) -> Branch:
    hosts = ", ".join(route["spec"].get("hostnames") or ("any host of the listener",))
    bad = [
        f"{c['type']}={c['status']}: {c['reason']}"
        for parent in _statuses(route, gateway)
        for c in parent.get("conditions") or ()
        if c["status"] != "True"
    ]
    rules = tuple(b for rule in route["spec"].get("rules") or () for b in _rule(rule, route, state))
    notes = tuple(Branch(words, "", "end") for words in bad)
    return Branch(f"HTTPRoute {meta.key(route)}", hosts, "map", below=(*notes, *rules))


def _stray(route: Object, gateway: Object) -> Branch:
    reasons = [
        f"{c['reason']}: {c['message']}"
        for parent in _statuses(route, gateway)
        for c in parent.get("conditions") or ()
        if c["type"] == "Accepted" and c["status"] != "True"
    ]
    why = Branch((reasons or ["no controller has said anything"])[0], "", "end")
    return Branch(f"HTTPRoute {meta.key(route)}", "not accepted", "map", below=(why,))


def _rule(rule: Object, route: Object, state: State) -> Iterable[Branch]:
    filters = tuple(Branch(f["type"], "", "mark") for f in rule.get("filters") or ())
    backends = rule.get("backendRefs") or ()
    total = sum(b.get("weight", 1) for b in backends) or 1
    legs = tuple(_backend(b, route, total, state) for b in backends)
    for match in rule.get("matches") or ({"path": {"type": "PathPrefix", "value": "/"}},):
        yield Branch(_match(match), "", "other", below=(*filters, *legs))


def _match(match: Object) -> str:
    path = match.get("path") or {"type": "PathPrefix", "value": "/"}
    words = [match["method"]] if match.get("method") else []
    words.append(f"{path.get('value', '/')}{' …' if path.get('type', 'PathPrefix') == 'PathPrefix' else ''}")
    words += [f"{h['name']}: {h['value']}" for h in match.get("headers") or ()]
    words += [f"?{q['name']}={q['value']}" for q in match.get("queryParams") or ()]
    return "  ".join(words)


def _backend(ref: dict[str, Any], route: Object, total: int, state: State) -> Branch:
    where = f"{ref.get('namespace', meta.namespace(route))}/{ref['name']}"
    weight = ref.get("weight", 1)
    ready = state.endpoints(where, ref.get("port"))
    note = f"{weight / total:.0%}, {len(ready)} endpoint{'' if len(ready) == 1 else 's'}"
    return Branch(f"{where}:{ref.get('port', '')}", note, "leg")
