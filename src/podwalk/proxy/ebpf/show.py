"""What the maps of a node hold, as lines: the program behind ``podwalk bpf``, run on the node.

For machines without bpftool, which shows the same as bytes (``bpftool map dump pinned
/sys/fs/bpf/podwalk/pw_services``).
Standard library only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from podwalk.netns import bpf
from podwalk.proxy.ebpf import maps

PINS = bpf.DIRECTORY / "podwalk"


def _items(spec: bpf.MapSpec) -> list[tuple[bytes, bytes]]:
    opened = bpf.Map.pinned(PINS / spec.name, spec)
    try:
        return list(opened.items())
    finally:
        opened.close()


def services() -> Iterator[str]:
    """Every entrance, and below it the endpoints that it leads to, with their numbers."""
    backends = dict(_items(maps.BACKENDS))
    sets: dict[int, list[tuple[int, str]]] = {}
    for identity, slot, number in (maps.slot_of(*item) for item in _items(maps.SLOTS)):
        text = maps.backend_text(backends[maps.number(number)]) if maps.number(number) in backends else "gone"
        sets.setdefault(identity, []).append((slot, f"    -> {text}  backend {number}"))
    for key, value in sorted(_items(maps.SERVICES)):
        yield maps.service_line(key, value)
        yield from (line for _, line in sorted(sets.get(maps.set_of(value), [])))


def connections() -> Iterator[str]:
    """Every connection that a client of this node has to a Service, and its endpoint."""
    yield from sorted(str(maps.connection_of(*item)) for item in _items(maps.CONNECTIONS))


def back() -> Iterator[str]:
    """What an endpoint sends to a client, and the Service's address that it gets as its source."""
    yield from sorted(maps.reverse_line(*item) for item in _items(maps.REVERSE))


TABLES: dict[str, Callable[[], Iterator[str]]] = {"services": services, "connections": connections, "back": back}


def main() -> int:
    """Print the table that the first argument names. Exit status 3 where the node has no such maps."""
    try:
        for line in TABLES[sys.argv[1]]():
            print(line)
    except FileNotFoundError:
        return 3
    return 0
