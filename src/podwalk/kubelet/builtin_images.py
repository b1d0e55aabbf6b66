"""The images that every cluster has: each stands for a program of this machine or of podwalk."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from podwalk import programs

PATH_ENV = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAMS = Path(programs.__path__[0])


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of the catalogue; ``root`` is the container root that netns builds ("default" or "minimal")."""

    ref: str
    summary: str
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    files: dict[str, bytes] = field(default_factory=dict)
    uid: int | None = None
    root: str = "default"
    programs: dict[str, bytes] = field(default_factory=dict)
    host_program: str = ""


def _launcher(program: Path) -> bytes:
    """A file that runs a Python program as if it were the image's binary."""
    # Importing (rather than running) the program uses the byte code that is cached beside it.
    return (
        f"#!/bin/sh\n"
        f'exec "{sys.executable}" -I -S -c "import sys; sys.path.insert(0, {str(program.parent)!r}); '
        f'import {program.stem} as program; sys.exit(program.main(sys.argv[1:]))" "$@"\n'
    ).encode()


def _shell(ref: str, summary: str, *cmd: str, entrypoint: tuple[str, ...] = ()) -> Entry:
    return Entry(ref, summary, entrypoint=entrypoint, cmd=cmd)


def _busybox() -> Entry:
    found = shutil.which("busybox", path=PATH_ENV)
    if found:
        return Entry("docker.io/library/busybox", "busybox, and nothing else", cmd=("sh",), root="minimal")
    return _shell("docker.io/library/busybox", "a shell with this machine's tools (busybox is not installed)", "sh")


def _nginx() -> Entry:
    ref = "docker.io/library/nginx"
    found = shutil.which("nginx", path=PATH_ENV)
    if found:
        files = {"/etc/nginx/nginx.conf": _NGINX_CONF, "/etc/nginx/conf.d/default.conf": _NGINX_DEFAULT}
        return Entry(ref, f"nginx ({found})", cmd=(found, "-g", "daemon off;"), files=files)
    # Not /usr/sbin/nginx: /usr is the machine's own, read-only.
    launcher = {"/nginx": _launcher(_PROGRAMS / "nginx.py")}
    return Entry(ref, "podwalk's stand-in for nginx (nginx is not installed)", cmd=("/nginx",), programs=launcher)


def builtin() -> list[Entry]:
    """The images that every cluster has."""
    agnhost = {"/agnhost": _launcher(_PROGRAMS / "agnhost.py")}
    echo = {"/http-echo": _launcher(_PROGRAMS / "http_echo.py")}
    dns = (sys.executable, "-m", "podwalk.dns")
    return [
        Entry(
            "registry.k8s.io/e2e-test-images/agnhost", "podwalk's agnhost", ("/agnhost",), ("pause",), programs=agnhost
        ),
        _nginx(),
        _busybox(),
        _shell("docker.io/nicolaka/netshoot", "a shell with this machine's tools", "bash"),
        _shell("docker.io/library/alpine", "a shell with this machine's tools", "/bin/sh"),
        _shell("docker.io/library/debian", "a shell with this machine's tools", "bash"),
        _shell("docker.io/library/ubuntu", "a shell with this machine's tools", "bash"),
        _shell("docker.io/curlimages/curl", "curl of this machine", entrypoint=("curl",)),
        Entry("registry.k8s.io/pause", "sleeps for ever", ("sleep", "infinity")),
        Entry("registry.k8s.io/coredns/coredns", "podwalk's cluster DNS", dns, env={"PYTHONPATH": _source_path()}),
        Entry("docker.io/hashicorp/http-echo", "podwalk's http-echo", ("/http-echo",), programs=echo),
    ]


def _source_path() -> str:
    return str(_PROGRAMS.parent.parent)


_NGINX_CONF = b"""\
worker_processes 1;
error_log stderr notice;
pid /tmp/nginx.pid;
events { worker_connections 256; }
http {
    types {
        text/html html htm;
        text/css css;
        application/javascript js;
        application/json json;
        text/plain txt;
    }
    default_type application/octet-stream;
    log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                    '$status $body_bytes_sent "$http_referer" '
                    '"$http_user_agent" "$http_x_forwarded_for"';
    access_log /dev/stdout main;
    client_body_temp_path /tmp/client_body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    keepalive_timeout 65;
    include /etc/nginx/conf.d/*.conf;
}
"""
_NGINX_DEFAULT = b"""\
server {
    listen 80;
    server_name localhost;
    location / {
        root /usr/share/nginx/html;
        index index.html index.htm;
    }
}
"""
