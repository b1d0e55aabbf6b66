"""What the filters of a rule do to Envoy's route: headers, redirects, rewrites, mirrors; pure.

Upstream: HTTPRouteFilter in apis/v1/httproute_types.go of kubernetes-sigs/gateway-api; envoy.config.route.v3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from podwalk.api.meta import Object

# What is served of a rule's filters, and of those of one of its backends. A route that asks for more is not accepted:
# a filter must never be skipped in silence.
OF_RULES = ("RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "RequestRedirect", "URLRewrite")
OF_BACKENDS = ("RequestHeaderModifier", "ResponseHeaderModifier")
_UNITS = (("ms", 0.001), ("h", 3600.0), ("m", 60.0), ("s", 1.0))
_MILLION = 1_000_000


def unsupported(route: Object) -> str | None:
    """The type of a filter that we do not serve, or None."""
    for rule in (route.get("spec") or {}).get("rules") or ():
        for known, holders in ((OF_RULES, (rule,)), (OF_BACKENDS, rule.get("backendRefs") or ())):
            for entry in (f for holder in holders for f in holder.get("filters") or ()):
                if entry.get("type") not in known:
                    return str(entry.get("type"))
    return None


def mirrored(rule: Object) -> list[Object]:
    """The ``requestMirror`` of each filter that has one."""
    found = (entry for entry in rule.get("filters") or () if entry.get("type") == "RequestMirror")
    return [entry["requestMirror"] for entry in found if entry.get("requestMirror")]


def mirror(cluster: str, wanted: Object) -> Object:
    """Envoy's policy for copies that go to a cluster: all requests, or the share that is asked for."""
    share = _MILLION
    if wanted.get("percent") is not None:
        share = int(wanted["percent"]) * _MILLION // 100
    elif (fraction := wanted.get("fraction")) is not None:
        share = min(_MILLION, int(fraction["numerator"]) * _MILLION // int(fraction.get("denominator", 100)))
    value = {"numerator": share, "denominator": "MILLION"}
    return {"cluster": cluster, "runtime_fraction": {"default_value": value}}


def of_backend(ref: Mapping[str, object]) -> Object:
    """What the filters of one backendRef add to Envoy's weighted cluster."""
    out: Object = {}
    entries = ref.get("filters")
    for entry in entries if isinstance(entries, Sequence) else ():
        if entry.get("type") == "RequestHeaderModifier":
            out.update(_headers("request", entry["requestHeaderModifier"]))
        elif entry.get("type") == "ResponseHeaderModifier":
            out.update(_headers("response", entry["responseHeaderModifier"]))
    return out


def applied(rule: Object, match: Object, action: Object) -> Object:
    """The action with the rule's filters applied."""
    out: Object = {k: dict(v) for k, v in action.items()}
    prefix = ((match.get("path") or {}).get("value") or "/").rstrip("/")
    for entry in rule.get("filters") or ():
        match entry.get("type"):
            case "RequestHeaderModifier":
                out.update(_headers("request", entry["requestHeaderModifier"]))
            case "ResponseHeaderModifier":
                out.update(_headers("response", entry["responseHeaderModifier"]))
            case "RequestRedirect":
                out.pop("route", None), out.pop("direct_response", None)
                out["redirect"] = _redirect(entry["requestRedirect"], prefix)
            case "URLRewrite" if "route" in out:
                out["route"].update(_rewrite(entry["urlRewrite"], prefix))
    return out


def _headers(direction: str, change: Object) -> Object:
    replaced = [(h, "OVERWRITE_IF_EXISTS_OR_ADD") for h in change.get("set") or ()]
    added = [(h, "APPEND_IF_EXISTS_OR_ADD") for h in change.get("add") or ()]
    out: Object = {}
    if replaced or added:
        out[f"{direction}_headers_to_add"] = [
            {"header": {"key": h["name"], "value": h["value"].replace("%", "%%")}, "append_action": how}
            for h, how in [*replaced, *added]
        ]
    if change.get("remove"):
        out[f"{direction}_headers_to_remove"] = change["remove"]
    return out


_CODES = {
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}


def _redirect(redirect: Object, prefix: str) -> Object:
    out: Object = {"response_code": _CODES.get(int(redirect.get("statusCode", 302)), "FOUND")}
    if redirect.get("scheme"):
        out["scheme_redirect"] = redirect["scheme"]
    if redirect.get("hostname"):
        out["host_redirect"] = redirect["hostname"]
    if redirect.get("port"):
        out["port_redirect"] = redirect["port"]
    path = redirect.get("path") or {}
    if path.get("type") == "ReplaceFullPath":
        out["path_redirect"] = path.get("replaceFullPath") or "/"
    elif path.get("type") == "ReplacePrefixMatch":
        out.update(replace_prefix(prefix, path.get("replacePrefixMatch") or "/"))
    return out


def _rewrite(rewrite: Object, prefix: str) -> Object:
    out: Object = {}
    if rewrite.get("hostname"):
        out["host_rewrite_literal"] = rewrite["hostname"]
    path = rewrite.get("path") or {}
    if path.get("type") == "ReplaceFullPath":
        whole = (path.get("replaceFullPath") or "/").replace("\\", "\\\\")
        out["regex_rewrite"] = {"pattern": {"regex": "^[^?]*"}, "substitution": whole}
    elif path.get("type") == "ReplacePrefixMatch":
        out.update(replace_prefix(prefix, path.get("replacePrefixMatch") or "/"))
    return out


def replace_prefix(prefix: str, replacement: str) -> Object:
    """How Envoy replaces a matched prefix: ``/foo/bar`` with ``/foo`` by ``/x`` is ``/x/bar``, by ``/`` is ``/bar``."""
    stem = replacement.rstrip("/")
    if not prefix:
        return {"prefix_rewrite": f"{stem}/"}
    if stem:
        return {"prefix_rewrite": stem}
    # A plain replacement by "/" would leave two slashes.
    quoted = "".join(c if c.isalnum() or c in "/_-" else f"\\{c}" for c in prefix)
    return {"regex_rewrite": {"pattern": {"regex": f"^{quoted}/*"}, "substitution": "/"}}


def seconds(text: str) -> float:
    """A Gateway API duration (GEP-2257: ``1h30m``, ``500ms``) in seconds."""
    total, number = 0.0, ""
    rest = text
    while rest:
        if rest[0].isdigit():
            number, rest = number + rest[0], rest[1:]
            continue
        unit, size = next((u for u in _UNITS if rest.startswith(u[0])), ("", 0.0))
        if not unit or not number:
            return 0.0
        total, number, rest = total + int(number) * size, "", rest[len(unit) :]
    return total
