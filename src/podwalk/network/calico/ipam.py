"""Addresses from blocks: a node holds blocks of 64 addresses, and its Pods get theirs from them.

Stands in for calico-ipam (libcalico-go/lib/ipam). There the blocks are objects in the datastore, claimed from the pool
by any node; here a node claims them in order from its own Pod CIDR, in a file that the CNI plugin locks. Standard
library only: the plugin is started bare.
"""

import fcntl
import ipaddress
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

STATE = Path("/var/lib/calico/ipam.json")
BLOCK_PREFIX = 26

T = TypeVar("T")
Json = dict[str, Any]


class ExhaustedError(Exception):
    """Every address of every block of this node is taken."""


def blocks_of(pod_cidr: str) -> list[str]:
    """The blocks that a node may claim, in order."""
    network = ipaddress.IPv4Network(pod_cidr)
    if network.prefixlen >= BLOCK_PREFIX:
        return [str(network)]
    return [str(block) for block in network.subnets(new_prefix=BLOCK_PREFIX)]


class Ipam:
    """The node's blocks and who has which address. Every call reads and writes the file under a lock."""

    def __init__(self, state: Path = STATE) -> None:
        self._state = state

    def initialise(self, pod_cidr: str) -> None:
        """Claim the first block, unless that was done before."""
        available = blocks_of(pod_cidr)

        def change(data: Json) -> None:
            if data.get("available") != available:
                data.clear()
                data.update(available=available, blocks={available[0]: _fresh()})

        self._locked(change)

    def blocks(self) -> list[str]:
        """The blocks that this node has claimed."""
        try:
            return list(json.loads(self._state.read_text())["blocks"])
        except (OSError, ValueError, KeyError):
            return []

    def assign(self, handle: str, attributes: Json) -> str:
        """An address for a container, the same one when asked again. Raises ExhaustedError."""

        def change(data: Json) -> str:
            for cidr, block in data.get("blocks", {}).items():
                for ordinal, entry in block["allocations"].items():
                    if entry["handle"] == handle:
                        return _address(cidr, int(ordinal))
            for cidr in data.get("available", ()):
                block = data["blocks"].setdefault(cidr, _fresh())
                size = ipaddress.IPv4Network(cidr).num_addresses
                # In turns, so that an address rests before somebody else gets it.
                for step in range(size):
                    ordinal = (block["next"] + step) % size
                    if str(ordinal) not in block["allocations"]:
                        block["allocations"][str(ordinal)] = {"handle": handle, **attributes}
                        block["next"] = (ordinal + 1) % size
                        return _address(cidr, ordinal)
            raise ExhaustedError("no free addresses in the node's blocks: " + " ".join(data.get("available", ())))

        return self._locked(change)

    def release(self, handle: str) -> Json | None:
        """Give a container's address back; what `assign` was told about it, or None where it had none."""

        def change(data: Json) -> Json | None:
            for block in data.get("blocks", {}).values():
                for ordinal, entry in list(block["allocations"].items()):
                    if entry["handle"] == handle:
                        found: Json = block["allocations"].pop(ordinal)
                        return found
            return None

        return self._locked(change)

    def holder(self, device: str) -> str | None:
        """The container that owns a host device."""
        try:
            data = json.loads(self._state.read_text())
        except (OSError, ValueError):
            return None
        for block in data.get("blocks", {}).values():
            for entry in block["allocations"].values():
                if entry.get("device") == device:
                    return str(entry["handle"])
        return None

    def _locked(self, change: Callable[[Json], T]) -> T:
        self._state.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(f"{self._state}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            data: Json = json.loads(self._state.read_text()) if self._state.exists() else {}
            result = change(data)
            fresh = Path(f"{self._state}.new")
            fresh.write_text(json.dumps(data, indent=1))
            fresh.rename(self._state)
            return result
        finally:
            os.close(lock)


def _fresh() -> Json:
    return {"allocations": {}, "next": 0}


def _address(cidr: str, ordinal: int) -> str:
    return str(ipaddress.IPv4Network(cidr)[ordinal])
