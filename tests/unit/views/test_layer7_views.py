"""The walk of a request through a proxy, and the trees of routes."""

from __future__ import annotations

from podwalk.views.request_walk import End, RequestWalk, Stretch
from podwalk.views.route_tree import nginx_tree
from podwalk.views.rule_tree import Branch, RuleTree
from podwalk.views.sightings import _parse

CONF = """\
http {
    upstream shop-web-80 {
        server 10.244.1.4:8080 max_fails=0;
        server 10.244.2.3:8080 max_fails=0;
    }
    server {
        listen 80 default_server;
        server_name _;
        location / { return 404; }
    }
    server {
        listen 80;
        server_name shop.example;
        location = "/api" {
            proxy_pass http://shop-web-80;
        }
        location ~* "^/old(/|$)(.*)" {
            rewrite "(?i)^/old(/|$)(.*)" /new/$2 break;
            proxy_pass http://shop-web-80;
        }
    }
}
"""


def _flat(branches: tuple[Branch, ...]) -> list[str]:
    return [words for b in branches for words in (b.head, *_flat(b.below))]


def test_nginx_conf_becomes_a_tree_with_the_default_server_last() -> None:
    roots = nginx_tree(CONF)
    assert [r.head for r in roots] == ["server shop.example", "server _"]
    assert _flat(roots) == [
        "server shop.example", "/api", "shop-web-80", "10.244.1.4:8080", "10.244.2.3:8080",
        "^/old(/|$)(.*)", "the path becomes /new/$2", "shop-web-80", "10.244.1.4:8080", "10.244.2.3:8080",
        "server _", "/", "return 404",
    ]  # fmt: skip
    assert RuleTree("nginx", "controller", "nginx.conf", roots).png()


def test_a_line_of_tcpdump_is_a_sighting_with_its_ends() -> None:
    line = "1795259487.654168 cni0  Out IP 10.244.2.1.15472 > 10.244.2.4.80: Flags [S], seq 1, win 64240, length 0"
    seen = _parse("worker2", line)
    assert seen is not None
    assert (seen.device, seen.way, seen.ends, seen.new) == (
        "cni0", "Out", ("10.244.2.1", 15472, "10.244.2.4", 80), True,
    )  # fmt: skip
    data = _parse("worker2", line.replace("[S]", "[P.]"))
    assert data is not None
    assert not data.new
    assert _parse("worker2", "listening on any") is None


def _walk(second: tuple[Stretch, ...], kept: bool = False) -> RequestWalk:
    ends = (End("outside", "172.18.0.1"), End("proxy", "10.244.2.4", "worker2"), End("web", "10.244.1.4", "worker"))
    first = (
        Stretch("172.18.0.1:1", "172.18.255.200:80", ("outside",)),
        Stretch("10.244.2.1:2", "10.244.2.4:80", ("w",)),
    )
    return RequestWalk("http://shop.example/", "HTTP 200", ends, (first, second), {"X-Real-Ip": "10.244.2.1"}, kept)


def test_the_walk_says_what_each_side_sees() -> None:
    walk = _walk((Stretch("10.244.2.4:9", "10.244.1.4:8080", ("w",)),), kept=True)
    assert walk.alt().splitlines() == [
        "http://shop.example/ from outside: HTTP 200",
        "connection 1: 172.18.0.1:1 → 172.18.255.200:80",
        "  rewritten on w: 10.244.2.1:2 → 10.244.2.4:80",
        "connection 2, open from before: 10.244.2.4:9 → 10.244.1.4:8080",
        "web sees 10.244.2.4:9",
        "and is told X-Real-Ip: 10.244.2.1",
    ]
    assert walk.png()


def test_a_request_that_no_backend_got_has_no_second_connection() -> None:
    walk = _walk(())
    assert "connection 2: none" in walk.alt()
    assert "sees" not in walk.alt()
    assert walk.png()
