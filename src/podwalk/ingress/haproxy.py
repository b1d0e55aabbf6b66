"""haproxy.cfg for a site; pure.

Upstream: jcmoraisjr/haproxy-ingress and haproxytech/kubernetes-ingress, whose behaviour towards the Ingress API this
follows. Rules stand in the order in which they are to be tried, in a host the longest path first; a request whose host
has an entry of its own never falls through to a wildcard or to the nameless host.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from podwalk.ingress.model import NO_TLS_REDIRECT, Backend, Host, Path, Site
from podwalk.ingress.nginx import file_of

CONTROLLER = "haproxy-ingress.github.io/controller"
PREFIX = "haproxy-ingress.github.io/"
KNOWN = frozenset(
    {
        "backend-protocol",
        "balance-algorithm",
        "limit-rps",
        "path-type",
        "rewrite-target",
        "ssl-redirect",
        "timeout-connect",
        "timeout-server",
        "whitelist-source-range",
    }
)
_ALGORITHMS = frozenset({"roundrobin", "leastconn", "random", "source", "static-rr", "first"})

_HEAD = """\
global
    log stdout format raw local0
    maxconn 2000
    stats socket {run}/admin.sock mode 600 level admin expose-fd listeners
    hard-stop-after 240s
defaults
    mode http
    log global
    option httplog
    option forwardfor
    option http-server-close
    option redispatch
    retries 2
    timeout connect 5s
    timeout client 50s
    timeout server 50s
    timeout http-request 5s
    timeout http-keep-alive 60s
frontend ingress
    bind :{http}
    bind :{https} ssl crt-list {certificates}/list.txt alpn h2,http/1.1
    http-request set-var(txn.host) hdr(host),field(1,:),lower
    http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
    http-request set-header X-Forwarded-Proto http if !{{ ssl_fc }}
    http-request set-header X-Real-IP %[src]
    unique-id-format %[uuid()]
    unique-id-header X-Request-ID
"""


def render(site: Site, *, run: str, certificates: str, http: int = 80, https: int = 443) -> str:
    """The whole file. ``run`` is a folder for HAProxy's own files, ``certificates`` the one with the PEM files."""
    out = [_HEAD.format(run=run, certificates=certificates, http=http, https=https)]
    hosts = sorted(site.hosts, key=lambda h: (h.name == "", h.wildcard, h.name))
    heads = {host.name: _head(host, hosts) for host in hosts}
    for host in hosts:
        out += [line for path in host.paths for line in _redirect(host, heads[host.name], path)]
    for host in hosts:
        out += [
            f"    use_backend {_name(p)} if {heads[host.name]}{match}\n" for p in host.paths for match in _matches(p)
        ]
    out.append(f"    default_backend {_default_name(site)}\n")
    done = set()
    for path in (p for h in hosts for p in h.paths):
        if _name(path) not in done:
            done.add(_name(path))
            out.append(_backend(path))
    return "".join(out) + _default(site)


def mark(generation: int) -> str:
    """What is added to a configuration, so that whoever serves it can say so: a second global section."""
    return f"global\n    description generation-{generation}\n"


def crt_list(site: Site, certificates: str) -> str:
    """The list of certificates: the default one first, then each with the hosts that it serves."""
    lines = [f"{certificates}/{file_of('')}"]
    lines += [f"{certificates}/{file_of(h.secret)} {h.name}" for h in site.hosts if h.tls and h.secret and h.name]
    return "\n".join(lines) + "\n"


def _head(host: Host, hosts: list[Host]) -> str:
    """What must hold of a request's host name for this host to have it."""
    exact = " ".join(h.name for h in hosts if h.name and not h.wildcard)
    wild = [_pattern(h) for h in hosts if h.wildcard]
    if host.name and not host.wildcard:
        return f"{{ var(txn.host) -m str {host.name} }} "
    found = f"!{{ var(txn.host) -m str {exact} }} " if exact else ""
    if host.wildcard:
        return f"{found}{{ var(txn.host) -m reg {_pattern(host)} }} "
    return found + "".join(f"!{{ var(txn.host) -m reg {pattern} }} " for pattern in wild)


def _pattern(host: Host) -> str:
    """A wildcard as a regular expression: one label, as the Ingress API has it."""
    return f"^[^.]+{re.escape(host.name[1:])}$"


def _matches(path: Path) -> list[str]:
    if path.type == "Exact":
        return [f"{{ path -m str {_word(path.path)} }}"]
    if path.type == "Prefix":
        stem = path.path.rstrip("/")
        if not stem:
            return ["{ path -m beg / }"]
        return [f"{{ path -m str {_word(stem)} }}", f"{{ path -m beg {_word(stem + '/')} }}"]
    if path.options.get("path-type") == "regex":
        return [f"{{ path -m reg {_word('^' + path.path)} }}"]
    return [f"{{ path -m beg {_word(path.path)} }}"]


def _redirect(host: Host, head: str, path: Path) -> list[str]:
    off = path.options.get("ssl-redirect") == "false"
    if off or not host.tls:
        return []
    apart = f"!{{ ssl_fc }} !{{ path -m beg {NO_TLS_REDIRECT} }}"
    return [f"    http-request redirect scheme https code 308 if {apart} {head}{match}\n" for match in _matches(path)]


def _name(path: Path) -> str:
    """One HAProxy backend a (Service port, options), because the options act in the backend."""
    options = "-".join(sorted(f"{k}={v}" for k, v in path.options.items() if k in KNOWN))
    suffix = f"--{abs(_stable(options + path.path)):x}" if options else ""
    return path.backend.name + suffix


def _stable(text: str) -> int:
    found = 0
    for char in text:
        found = (found * 31 + ord(char)) % 0xFFFFFFFF
    return found


def _backend(path: Path) -> str:
    backend, options = path.backend, path.options
    lines = [f"balance {_algorithm(options)}"]
    if sources := options.get("whitelist-source-range"):
        listed = " ".join(_word(s.strip()) for s in sources.split(",") if s.strip())
        lines.append(f"http-request deny deny_status 403 unless {{ src {listed} }}")
    if (rate := options.get("limit-rps", "")).isdigit():
        lines += [
            "stick-table type ip size 100k expire 1s store http_req_rate(1s)",
            "http-request track-sc0 src",
            f"http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt {rate} }}",
        ]
    if target := options.get("rewrite-target"):
        stem = re.escape(path.path.rstrip("/"))
        lines.append(f"http-request replace-path ^{_word(stem)}/?(.*)$ {_word(target.rstrip('/'))}/\\1")
    lines += [f"timeout {kind} {options[f'timeout-{kind}']}" for kind in ("connect", "server") if _time(options, kind)]
    if not backend.endpoints:
        lines.append('http-request return status 503 content-type text/plain string "no endpoints"')
    tls = " ssl verify none" if options.get("backend-protocol", "").upper() == "HTTPS" else ""
    lines += [f"server srv{n} {endpoint}{tls}" for n, endpoint in enumerate(backend.endpoints, 1)]
    return f"backend {_name(path)}\n" + "".join(f"    {line}\n" for line in lines)


def _algorithm(options: Mapping[str, str]) -> str:
    wanted = options.get("balance-algorithm", "roundrobin")
    return wanted if wanted in _ALGORITHMS else "roundrobin"


def _time(options: Mapping[str, str], kind: str) -> bool:
    return bool(re.fullmatch(r"\d+(ms|s|m)?", options.get(f"timeout-{kind}", "")))


def _default_name(site: Site) -> str:
    return f"default-{site.default.name}" if site.default else "default-404"


def _default(site: Site) -> str:
    backend: Backend | None = site.default
    if backend is None:
        said = 'http-request return status 404 content-type text/plain string "default backend - 404"'
        return f"backend {_default_name(site)}\n    {said}\n"
    servers = "".join(f"    server srv{n} {e}\n" for n, e in enumerate(backend.endpoints, 1))
    return f"backend {_default_name(site)}\n    balance roundrobin\n{servers}"


def _word(text: str) -> str:
    """A word of HAProxy's configuration, whatever it holds."""
    return re.sub(r"([\\\s\"'#])", r"\\\1", text.replace("\n", "").replace("\r", ""))
