"""The path of ACME challenges is never redirected to TLS (no-tls-redirect-locations)."""

from __future__ import annotations

from podwalk.ingress import haproxy, nginx
from podwalk.ingress.model import Backend, Host, Path, Site

BACKEND = Backend("shop", "web", "80", ("10.0.0.1:8080",))
SITE = Path("/", "Prefix", BACKEND, "shop/site")
CHALLENGE = Path("/.well-known/acme-challenge/T", "Exact", BACKEND, "shop/solver")
WORLD = Site((Host("web.test", (CHALLENGE, SITE), secret="shop/web-tls", tls=True),))


def test_nginx_redirects_the_site_and_not_the_challenge() -> None:
    text = nginx.render(WORLD, run="/run", certificates="/certs")
    server = text[text.index("server_name web.test;") :]
    challenge, site = server.split('location "/"')[0], server.split('location "/"')[1]
    assert "return 308" not in challenge
    assert "return 308" in site


def test_haproxy_redirects_the_site_and_not_the_challenge() -> None:
    text = haproxy.render(WORLD, run="/run", certificates="/certs")
    redirects = [line for line in text.splitlines() if "redirect scheme https" in line]
    assert redirects
    assert all("!{ path -m beg /.well-known/acme-challenge }" in line for line in redirects)
