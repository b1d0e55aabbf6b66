"""nginx.conf for a site, with the locations that ingress-nginx would write; pure.

Upstream: rootfs/etc/nginx/template/nginx.tmpl and internal/ingress/controller/template/template.go (buildLocation,
buildProxyPass). ingress-nginx chooses endpoints in Lua; here they stand in upstream blocks, so that a change of
endpoints is a reload.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from podwalk.ingress import model
from podwalk.ingress.model import Backend, Certificate, Host, Path, Site

CONTROLLER = "k8s.io/ingress-nginx"
PREFIX = "nginx.ingress.kubernetes.io/"
KNOWN = frozenset(
    {
        "backend-protocol",
        "force-ssl-redirect",
        "limit-connections",
        "limit-rpm",
        "limit-rps",
        "proxy-body-size",
        "proxy-connect-timeout",
        "proxy-read-timeout",
        "proxy-send-timeout",
        "rewrite-target",
        "ssl-redirect",
        "use-regex",
        "whitelist-source-range",
        "allowlist-source-range",
    }
)
# ingress-nginx lets a client run ahead of its rate by this factor (limit-burst-multiplier).
_BURST = 5
_TIMEOUTS = ("connect", "send", "read")
_PROTOCOLS = {"HTTP": "http", "HTTPS": "https", "AUTO_HTTP": "http"}

_HEAD = """\
worker_processes 2;
daemon off;
user root;
pid {run}/nginx.pid;
error_log stderr notice;
worker_shutdown_timeout 240s;
events {{ worker_connections 1024; }}
http {{
    log_format upstreaminfo '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
        '"$http_referer" "$http_user_agent" $request_length $request_time [$proxy_upstream_name] [] '
        '$upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id';
    access_log /dev/stdout upstreaminfo;
    client_body_temp_path {run}/body;
    proxy_temp_path {run}/proxy;
    fastcgi_temp_path {run}/fastcgi;
    uwsgi_temp_path {run}/uwsgi;
    scgi_temp_path {run}/scgi;
    server_tokens off;
    server_names_hash_bucket_size 128;
    keepalive_timeout 75s;
    client_max_body_size 1m;
    reset_timedout_connection on;
    map $http_x_request_id $req_id {{ default $http_x_request_id; "" $request_id; }}
    map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
    map $host $proxy_upstream_name {{ default "-"; }}
    proxy_http_version 1.1;
    proxy_connect_timeout 5s;
    proxy_next_upstream error timeout;
    proxy_next_upstream_tries 3;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:SSL:10m;
"""


def render(site: Site, *, run: str, certificates: str, http: int = 80, https: int = 443) -> str:
    """The whole file. ``run`` is a folder for nginx's own files, ``certificates`` the one with the PEM files."""
    out = [_HEAD.format(run=run)]
    backends: dict[str, Backend] = {}
    paths = [p for h in site.hosts for p in h.paths]
    for backend in [p.backend for p in paths] + ([site.default] if site.default else []):
        backends.setdefault(backend.name, backend)
    out += [_upstream(b) for b in backends.values() if b.endpoints]
    out += sorted({zone for p in paths for zone in _zones(p)})
    ports = (http, https)
    if not any(h.name == "" for h in site.hosts):
        out.append(_server(Host("", ()), site, certificates, ports))
    out += [_server(h, site, certificates, ports) for h in site.hosts]
    return "".join(out) + "}\n"


def file_of(certificate: Certificate | str) -> str:
    """The name of the PEM file of a certificate or of a secret ``ns/name``; of no secret the default one's."""
    secret = certificate if isinstance(certificate, str) else certificate.secret
    return f"{secret.replace('/', '-') or 'default-fake-certificate'}.pem"


def _upstream(backend: Backend) -> str:
    servers = "".join(f"        server {e} max_fails=0;\n" for e in backend.endpoints)
    return f"    upstream {backend.name} {{\n{servers}        keepalive 32;\n    }}\n"


def _server(host: Host, site: Site, certificates: str, ports: tuple[int, int]) -> str:
    default = " default_server" if host.name == "" else ""
    pem = f"{certificates}/{file_of(host.secret)}"
    lines = [
        f"listen {ports[0]}{default};",
        f"listen {ports[1]}{default} ssl;",
        f"server_name {_server_name(host.name)};",
        f"ssl_certificate {pem};",
        f"ssl_certificate_key {pem};",
    ]
    body = "".join(f"        {line}\n" for line in lines)
    regex = any(p.regex for p in host.paths)
    body += "".join(_locations(p, host, regex) for p in host.paths)
    if not any(p.path == "/" and p.type != "Exact" for p in host.paths):
        body += _default(site.default)
    return f"    server {{\n{body}    }}\n"


def _server_name(name: str) -> str:
    if not name:
        return "_"
    if name.startswith("*."):
        # One label only: what nginx's own wildcard would not stop at.
        return rf'"~^(?<subdomain>[\w-]+){re.escape(name[1:])}$"'
    return name


def _default(backend: Backend | None) -> str:
    if backend is None:
        return "        location / { return 404; }\n"
    if not backend.endpoints:
        return "        location / { return 503; }\n"
    return f"        location / {{\n{_indent(_proxy('http', backend.name))}        }}\n"


def _locations(path: Path, host: Host, regex: bool) -> str:
    """The nginx locations of one path."""
    body = _indent(_body(path, host))
    if path.type == "Exact":
        return f"        location = {_quoted(path.path)} {{\n{body}        }}\n"
    if regex:
        # One regular path makes all of the host's regular: nginx would otherwise never look at the plain ones.
        pattern = path.path if path.type == "ImplementationSpecific" else _elements(path.path)
        return f"        location ~* {_quoted('^' + pattern)} {{\n{body}        }}\n"
    if path.type == "Prefix" and path.path != "/":
        stem = path.path.rstrip("/")
        blocks = (f"= {_quoted(stem)}", _quoted(stem + "/"))
        return "".join(f"        location {b} {{\n{body}        }}\n" for b in blocks)
    return f"        location {_quoted(path.path)} {{\n{body}        }}\n"


def _elements(path: str) -> str:
    """A Prefix path as a regular expression that matches by elements."""
    return "/" if path == "/" else f"{re.escape(path.rstrip('/'))}(/|$)"


def _body(path: Path, host: Host) -> list[str]:
    options, backend = path.options, path.backend
    lines = [f"set $proxy_upstream_name {_quoted(backend.name)};"]
    if not path.path.startswith(model.NO_TLS_REDIRECT):
        lines += _redirect(options, host)
    if sources := _ranges(options):
        lines += [*(f"allow {source};" for source in sources), "deny all;"]
    lines += _limits(path)
    if not backend.endpoints:
        return [*lines, "return 503;"]
    if "rewrite-target" in options:
        pattern = path.path if path.type == "ImplementationSpecific" else re.escape(path.path)
        lines.append(f"rewrite {_quoted('(?i)' + pattern)} {_quoted(options['rewrite-target'])} break;")
    if size := options.get("proxy-body-size"):
        lines.append(f"client_max_body_size {_word(size)};")
    for name in _TIMEOUTS:
        if (value := options.get(f"proxy-{name}-timeout", "")).isdigit():
            lines.append(f"proxy_{name}_timeout {value}s;")
    return lines + _proxy(_PROTOCOLS.get(options.get("backend-protocol", "HTTP").upper(), "http"), backend.name)


def _redirect(options: Mapping[str, str], host: Host) -> list[str]:
    wanted = options.get("force-ssl-redirect") == "true" or (host.tls and options.get("ssl-redirect") != "false")
    return ["if ($scheme = http) { return 308 https://$host$request_uri; }"] if wanted else []


def _ranges(options: Mapping[str, str]) -> list[str]:
    text = options.get("allowlist-source-range") or options.get("whitelist-source-range") or ""
    found = []
    for part in (p.strip() for p in text.split(",") if p.strip()):
        try:
            found.append(str(ipaddress.ip_network(part, strict=False)))
        except ValueError:
            continue
    return found


def _rates(path: Path) -> list[tuple[str, str, int]]:
    """(kind, rate, burst) of the limits that the path sets."""
    found = []
    for option, unit in (("limit-rps", "r/s"), ("limit-rpm", "r/m")):
        value = path.options.get(option, "")
        if value.isdigit() and int(value) > 0:
            found.append((option, f"{value}{unit}", int(value) * _BURST))
    return found


def _zone(path: Path, kind: str) -> str:
    return f"{path.ingress.replace('/', '_')}_{kind}"


def _zones(path: Path) -> list[str]:
    zones = [
        f"    limit_req_zone $binary_remote_addr zone={_zone(path, kind)}:5m rate={rate};\n"
        for kind, rate, _ in _rates(path)
    ]
    if path.options.get("limit-connections", "").isdigit():
        zones.append(f"    limit_conn_zone $binary_remote_addr zone={_zone(path, 'conn')}:5m;\n")
    return zones


def _limits(path: Path) -> list[str]:
    lines = [f"limit_req zone={_zone(path, kind)} burst={burst} nodelay;" for kind, _, burst in _rates(path)]
    if (value := path.options.get("limit-connections", "")).isdigit():
        lines.append(f"limit_conn {_zone(path, 'conn')} {value};")
    return lines


def _proxy(scheme: str, upstream: str) -> list[str]:
    return [
        "proxy_set_header Host $http_host;",
        "proxy_set_header X-Request-ID $req_id;",
        "proxy_set_header X-Real-IP $remote_addr;",
        "proxy_set_header X-Forwarded-For $remote_addr;",
        "proxy_set_header X-Forwarded-Host $http_host;",
        "proxy_set_header X-Forwarded-Port $server_port;",
        "proxy_set_header X-Forwarded-Proto $scheme;",
        "proxy_set_header X-Forwarded-Scheme $scheme;",
        "proxy_set_header X-Scheme $scheme;",
        "proxy_set_header Upgrade $http_upgrade;",
        "proxy_set_header Connection $connection_upgrade;",
        "proxy_redirect off;",
        f"proxy_pass {scheme}://{upstream};",
    ]


def _indent(lines: list[str]) -> str:
    return "".join(f"            {line}\n" for line in lines)


def _quoted(text: str) -> str:
    """A word of nginx's configuration, whatever it holds."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "").replace("\r", "")
    return f'"{escaped}"'


def _word(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z]", "", text)
