"""The questions that tell whether the application is well; what a policy forbids is asked too, and must fail."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from podwalk.checks import http
from podwalk.faults import asking
from podwalk.faults.asking import CLOSED, Probe, Read, answers
from podwalk.faults.facts import Facts


def _get(
    name: str,
    what: str,
    place: str,
    url: Callable[[Facts], str],
    healthy: str,
    *,
    count: int = 1,
    timeout: float = 1,
    part: str = "",
    options: Callable[[Facts], str] = lambda f: "",
    read: Read = answers,
) -> Probe:
    def script(f: Facts) -> str:
        # The first failure is enough: a second one would only cost another timeout.
        more = f"--fail-early {options(f)}" if count > 1 else options(f)
        return http.script(url(f), count, timeout, options=more)

    return Probe(name, what, place, script, read, healthy, part)


def _lookup(name: str, what: str, place: str, host: str, healthy: str) -> Probe:
    text = f"timeout 3 getent ahostsv4 {host}; [ $? = 124 ] && echo late; true"
    return Probe(name, what, place, lambda f: text, asking.address, healthy)


_UDP = (
    'python3 -S -c \'import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", {port})); '
    's.settimeout(1); s.connect(("{ip}", 123)); s.send(b"hostname"); '
    'print("answered by", s.recv(99).decode().rsplit("-", 2)[0])\' 2>&1 | tail -n 1'
)


def _ask_clock(name: str, what: str, place: str, port: int, healthy: str) -> Probe:
    def script(f: Facts) -> str:
        return _UDP.format(port=port, ip=f.service_ip("clock"))

    return Probe(name, what, place, script, asking.clock, healthy)


def _show_certificate(f: Facts) -> str:
    server = f"-connect {f.balancer_ip('ingress')}:443 -servername tickets.tram.example"
    return f"echo | timeout 3 openssl s_client {server} 2>/dev/null | openssl x509 -noout -subject"


def _ok(who: str, count: int = 1) -> str:
    return f"{count} × HTTP 200 from {who}"


def _ingress(name: str, what: str, url: str, healthy: str, more: str = "", read: Read = answers) -> Probe:
    def options(f: Facts) -> str:
        host = url.partition("://")[2].partition("/")[0]
        ip = f.balancer_ip("ingress")
        return f"-k {more} --resolve {host}:80:{ip} --resolve {host}:443:{ip}"

    return _get(name, what, "outside", lambda f: url, healthy, timeout=2, part="ingress", options=options, read=read)


def _gateway(name: str, what: str, url: str, healthy: str, count: int = 1, read: Read = answers) -> Probe:
    def options(f: Facts) -> str:
        return f"--resolve {url.partition('://')[2].partition('/')[0]}:80:{f.balancer_ip('door')}"

    return _get(
        name,
        what,
        "outside",
        lambda f: url,
        healthy,
        count=count,
        timeout=2,
        part="gateway",
        options=options,
        read=read,
    )


_BOTH = "trams-east, trams-west"
# As the conductor's program does it: on one connection, or on a new one each time.
_FORTY = http.together("http://trams.tramway/hostname?probe=[1-40]", 1, '-H "Connection: $CONNECTION"') + "; true"
_BIG = "/shell?cmd=head%20-c%2030000%20/dev/zero%20%7C%20tr%20%27%5C0%27%20x"

CORE = (
    _get(
        "near",
        "the board calls a tram on its own node by address",
        "board",
        lambda f: f"http://{f.pod_ip('trams-east')}:8080/hostname",
        _ok("trams-east"),
    ),
    _get(
        "far",
        "the board calls a tram on the other worker by address",
        "board",
        lambda f: f"http://{f.pod_ip('trams-west')}:8080/hostname",
        _ok("trams-west", 12),
        count=12,
    ),
    _get(
        "far-office",
        "the board calls the office by address",
        "board",
        lambda f: f"http://{f.pod_ip('office')}:8080/hostname",
        _ok("office"),
    ),
    _get(
        "back",
        "the office calls a tram on the other worker by address",
        "office",
        lambda f: f"http://{f.pod_ip('trams-east')}:8080/hostname",
        _ok("trams-east"),
    ),
    _get(
        "big",
        "the board fetches 30 kB from the other worker",
        "board",
        lambda f: f"http://{f.pod_ip('trams-west')}:8080{_BIG}",
        _ok("30 kB"),
        timeout=2,
    ),
    _get(
        "node",
        "the control plane's node calls a tram by address",
        "control-plane",
        lambda f: f"http://{f.pod_ip('trams-west')}:8080/hostname",
        _ok("trams-west"),
    ),
    _get(
        "own-node",
        "the second worker's node calls a tram of its own",
        "worker2",
        lambda f: f"http://{f.pod_ip('trams-west')}:8080/hostname",
        _ok("trams-west"),
    ),
    _get(
        "service",
        "the board calls http://trams twelve times",
        "board",
        lambda f: "http://trams/hostname",
        _ok(_BOTH, 12),
        count=12,
    ),
    _get(
        "service-ip",
        "the board calls the address of trams",
        "board",
        lambda f: f"http://{f.service_ip('trams')}/hostname",
        _ok("trams-(east|west)"),
    ),
    _get(
        "service-west",
        "the office calls http://trams twelve times",
        "office",
        lambda f: "http://trams/hostname",
        _ok(_BOTH, 12),
        count=12,
    ),
    Probe(
        "balance", "the conductor calls the trams forty times", "conductor", lambda f: _FORTY, asking.balance, "shared"
    ),
    _get(
        "itself",
        "an eastern tram calls http://trams twelve times, and meets itself",
        "east",
        lambda f: "http://trams/hostname",
        _ok(_BOTH, 12),
        count=12,
    ),
    _get("office", "the board calls http://office", "board", lambda f: "http://office/hostname", _ok("office")),
    _get(
        "office-west", "a western tram calls http://office", "west", lambda f: "http://office/hostname", _ok("office")
    ),
    _get(
        "node-port-1",
        "the world calls the board's node port on the first worker",
        "outside",
        lambda f: f"http://{f.node_ips[f.worker]}:30081/hostname",
        _ok("board"),
    ),
    _get(
        "node-port-2",
        "the world calls the board's node port on the second worker",
        "outside",
        lambda f: f"http://{f.node_ips[f.worker2]}:30081/hostname",
        _ok("board"),
    ),
    _ask_clock("clock", "the board asks the clock", "board", 0, "answered by clock"),
    _ask_clock(
        "clock-again", "the board asks the clock from the port it always uses", "board", 5123, "answered by clock"
    ),
    _get(
        "safe-trams", "a tram opens the safe", "east", lambda f: f"http://{f.pod_ip('safe')}:8080/hostname", _ok("safe")
    ),
    _get(
        "safe-conductor",
        "the conductor opens the safe",
        "conductor",
        lambda f: f"http://{f.pod_ip('safe')}:8080/hostname",
        _ok("safe"),
    ),
    _get(
        "safe-board",
        "the board does not get into the safe",
        "board",
        lambda f: f"http://{f.pod_ip('safe')}:8080/hostname",
        CLOSED,
        timeout=0.6,
    ),
    _get(
        "safe-stranger",
        "a stranger does not get into the safe",
        "stranger",
        lambda f: f"http://{f.pod_ip('safe')}:8080/hostname",
        CLOSED,
        timeout=0.6,
    ),
    _get(
        "street", "a stranger looks at the board", "stranger", lambda f: "http://board.tramway/hostname", _ok("board")
    ),
    _get(
        "conductor",
        "the conductor calls the office by address",
        "conductor",
        lambda f: f"http://{f.pod_ip('office')}:8080/hostname",
        _ok("office"),
    ),
    _get(
        "abroad",
        "the board calls http://172.18.1.11 fifteen times",
        "board",
        lambda f: "http://172.18.1.11/",
        r"15 × HTTP 200\b.*",
        count=15,
    ),
    _get(
        "seen-inside",
        "whose address a tram sees when the board calls",
        "board",
        lambda f: f"http://{f.pod_ip('trams-west')}:8080/clientip",
        "the caller's own address",
        read=asking.seen_as,
    ),
    _get(
        "seen-abroad",
        "whose address the world sees when the board calls",
        "board",
        lambda f: "http://172.18.1.11/",
        "the address of the caller's node",
        read=asking.seen_as,
    ),
    _lookup("name", "the board looks up trams", "board", "trams", "Service trams"),
    _lookup(
        "name-full",
        "the office looks up trams.tramway.svc.cluster.local",
        "office",
        "trams.tramway.svc.cluster.local.",
        "Service trams",
    ),
    _lookup("name-street", "the conductor looks up office.tramway", "conductor", "office.tramway", "Service office"),
    _lookup("name-abroad", "the board looks up example.com", "board", "example.com.", r"172\.18\.1\.\d+"),
)

BALANCER = (
    _get(
        "front",
        "the world calls the address of the load balancer",
        "outside",
        lambda f: f"http://{f.balancer_ip('front')}/hostname",
        _ok("board"),
        part="balancer",
        read=asking.at_front,
    ),
)

INGRESS = (
    _ingress(
        "timetable", "the world fetches timetable.tram.example", "http://timetable.tram.example/hostname", _ok("board")
    ),
    _ingress(
        "timetable-root",
        "the world fetches the first page of timetable.tram.example",
        "http://timetable.tram.example/",
        r"1 × HTTP 200\b.*",
        "-o /dev/null",
    ),
    _ingress(
        "tickets",
        "the world fetches tickets.tram.example by TLS",
        "https://tickets.tram.example/hostname",
        _ok("office"),
    ),
    Probe(
        "certificate",
        "which certificate tickets.tram.example shows",
        "outside",
        _show_certificate,
        asking.subject,
        r"certificate of tickets\.tram\.example",
        "ingress",
    ),
)

GATEWAY = (
    _gateway(
        "lines",
        "the world fetches lines.gate.example",
        "http://lines.gate.example/hostname",
        r"1 × HTTP 200 from (board|office)",
    ),
    _gateway(
        "canary",
        "where forty calls of lines.gate.example go",
        "http://lines.gate.example/hostname",
        "most to board",
        40,
        asking.shares,
    ),
    _gateway("lost", "the world fetches lost.gate.example", "http://lost.gate.example/hostname", _ok("office")),
)

PROBES: Mapping[str, Probe] = {p.name: p for p in (*CORE, *BALANCER, *INGRESS, *GATEWAY)}


def of_parts(parts: Collection[str]) -> list[Probe]:
    """The probes of an application with these parts."""
    return [p for p in PROBES.values() if not p.part or p.part in parts]


def sick(seen: Mapping[str, str]) -> dict[str, str]:
    """Those of the answers that are not healthy."""
    return {name: said for name, said in seen.items() if not re.fullmatch(PROBES[name].healthy, said)}
