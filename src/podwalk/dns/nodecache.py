"""``python -m podwalk.dns.nodecache``: NodeLocal DNSCache, a DNS cache in every node's own network.

Stands in for cmd/node-cache of kubernetes/dns: puts its addresses on the node, keeps their packets away from connection
tracking, fills in the Corefile's placeholders, and then serves like the cluster DNS. Takes all of it back at its end.
The addresses go on lo, because many kernels lack the dummy device that upstream makes.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from podwalk.dns.__main__ import Program, log_like_coredns

log = logging.getLogger("nodecache")

_TEMPLATE = Path("/etc/coredns/Corefile.base")
_COMMENT = ("-m", "comment", "--comment")
_SKIP, _ALLOW = "NodeLocal DNS Cache: skip conntrack", "NodeLocal DNS Cache: allow DNS traffic"
_HEALTH_PORT = "8080"
_DEFAULTS = {"-localip": "", "-conf": "/etc/Corefile", "-upstreamsvc": "kube-dns-upstream", "-pidfile": ""}


class SetupError(Exception):
    """The node's network cannot be prepared; the message says by which command and why."""


def rules(address: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """The iptables rules of an address as (table, chain, rule), in upstream's order."""
    for protocol in ("tcp", "udp"):
        to = ("-p", protocol, "-d", address, "--dport", "53")
        back = ("-p", protocol, "-s", address, "--sport", "53")
        yield "raw", "PREROUTING", (*to, *_COMMENT, _SKIP, "-j", "NOTRACK")
        yield "filter", "INPUT", (*to, *_COMMENT, _ALLOW, "-j", "ACCEPT")
        yield "raw", "OUTPUT", (*back, *_COMMENT, _SKIP, "-j", "NOTRACK")
        yield "filter", "OUTPUT", (*back, *_COMMENT, _ALLOW, "-j", "ACCEPT")
        yield "raw", "OUTPUT", (*to, *_COMMENT, _SKIP, "-j", "NOTRACK")
    health = ("-p", "tcp", "-d", address, "--dport", _HEALTH_PORT)
    yield "raw", "OUTPUT", (*health, *_COMMENT, _SKIP, "-j", "NOTRACK")
    answer = ("-p", "tcp", "-s", address, "--sport", _HEALTH_PORT)
    yield "raw", "OUTPUT", (*answer, *_COMMENT, _SKIP, "-j", "NOTRACK")


def corefile(template: str, upstream: str) -> str:
    """The Corefile: ``__PILLAR__CLUSTER__DNS__`` is the Service before the cluster DNS, the rest asks the node's."""
    filled = template.replace("__PILLAR__CLUSTER__DNS__", upstream)
    return filled.replace("__PILLAR__UPSTREAM__SERVERS__", "/etc/resolv.conf")


def upstream_address(service: str) -> str:
    """The Service's cluster IP, from the environment that every container has. Raises SetupError."""
    variable = f"{service.upper().replace('-', '_')}_SERVICE_HOST"
    address = os.environ.get(variable, "")
    if not address:
        raise SetupError(f"{variable} is not set: the Service {service} must be there before this Pod starts")
    return address


def _run(*argv: str) -> int:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    if done.stderr:
        log.debug("%s: %s", " ".join(argv), done.stderr.strip())
    return done.returncode


def set_up(addresses: list[str]) -> None:
    """Put the addresses and their rules in place; what is there already stays. Raises SetupError."""
    for address in addresses:
        if _run("ip", "address", "replace", f"{address}/32", "dev", "lo") != 0:
            raise SetupError(f"ip address replace {address}/32 dev lo failed: the container needs NET_ADMIN")
        for table, chain, rule in rules(address):
            there = _run("iptables", "-w", "5", "-t", table, "-C", chain, *rule) == 0
            if not there and _run("iptables", "-w", "5", "-t", table, "-I", chain, *rule) != 0:
                raise SetupError(f"iptables -t {table} -I {chain} {' '.join(rule)} failed")


def tear_down(addresses: list[str]) -> None:
    """Take away what :func:`set_up` made, so that queries go to the cluster DNS again."""
    for address in addresses:
        for table, chain, rule in rules(address):
            _run("iptables", "-w", "5", "-t", table, "-D", chain, *rule)
        _run("ip", "address", "delete", f"{address}/32", "dev", "lo")


def main(argv: list[str]) -> int:
    """Run with node-cache's arguments; the exit code."""
    options = dict(_DEFAULTS)
    words = iter(argv)
    for word in words:
        name, equals, value = word.replace("--", "-", 1).partition("=")
        if name not in options:
            print(f"flag provided but not defined: {name}", file=sys.stderr)
            return 2
        options[name] = value if equals else next(words, "")
    log_like_coredns()
    addresses = [a for a in options["-localip"].split(",") if a]
    if not addresses or "KUBERNETES_SERVICE_HOST" not in os.environ:
        print("nodecache: needs -localip and runs in a Pod only: it changes the node's network", file=sys.stderr)
        return 2
    target = Path(options["-conf"])
    try:
        if _TEMPLATE.exists():
            target.write_text(corefile(_TEMPLATE.read_text(), upstream_address(options["-upstreamsvc"])))
        set_up(addresses)
        return Program(target, None).run()
    except (SetupError, OSError, subprocess.TimeoutExpired) as error:
        print(f"nodecache: {error}", file=sys.stderr)
        return 1
    finally:
        tear_down(addresses)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
