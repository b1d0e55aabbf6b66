"""Names that the world outside gives to a lab: a line for each in /etc/hosts of the fabric.

There curl finds them, and so does the outside's name server (:mod:`podwalk.cluster.internet`), which the cluster DNS
asks for all that is not its own.
"""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Mapping

from podwalk.api.meta import Object
from podwalk.backends.base import Cluster
from podwalk.checks.state import at_path, split_ref
from podwalk.client.sync import SyncClient
from podwalk.course.objects import WaitError, wait_for

_HOSTS = "/etc/hosts"
# Where an object says at which address it is reached.
_ADDRESSES = {
    "Service": ("status.loadBalancer.ingress", "ip"),
    "Ingress": ("status.loadBalancer.ingress", "ip"),
    "Gateway": ("status.addresses", "value"),
}
TARGET_PATTERN = r"^((Service|Ingress|Gateway) [a-z0-9-]+/[a-z0-9.-]+|[0-9]+(\.[0-9]+){3})$"


def add(cluster: Cluster, client: SyncClient, label: str, names: Mapping[str, str], seconds: float) -> None:
    """Let the outside know the names. ``names``: name -> ``Kind ns/name`` whose address it is, or an IPv4 address.

    ``label`` marks the lines. Raises WaitError where an object gets no address in time, BackendError, ApiError.
    """
    lines = [f"{_address(client, target, seconds)} {name} # {label}" for name, target in names.items()]
    _rewrite(cluster, label, lines)


def remove(cluster: Cluster, label: str) -> None:
    """Let the outside forget the names of a lab. Raises BackendError."""
    _rewrite(cluster, label, [])


def _rewrite(cluster: Cluster, label: str, lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    # Written in place: the file is a mount of the sandbox's own over the machine's, which no rename may touch.
    script = f"kept=$(grep -v {shlex.quote(f'# {label}$')} {_HOSTS}); printf '%s\\n%s' \"$kept\" {shlex.quote(text)} "
    done = cluster.outside(["sh", "-c", f"grep -q ' {_HOSTS} ' /proc/mounts && {{ {script} >{_HOSTS}; }}"], timeout=10)
    if not done.ok:
        raise WaitError(f"the outside of {cluster.name} has no {_HOSTS} of its own; boot a new cluster: podwalk down")


def _address(client: SyncClient, target: str, seconds: float) -> str:
    """The IPv4 address of a target. Raises WaitError."""
    kind, _, ref = target.rpartition(" ")
    if not kind:
        return str(ipaddress.IPv4Address(target))
    namespace, name = split_ref(ref)

    def lacking() -> str:
        found = _addresses(client.find(kind, name, namespace), kind)
        return "" if found else f"{kind.lower()}/{name}: has no address in {namespace}"

    wait_for(lacking, seconds)
    return _addresses(client.find(kind, name, namespace), kind)[0]


def _addresses(obj: Object | None, kind: str) -> list[str]:
    path, field = _ADDRESSES[kind]
    return [str(entry[field]) for entry in at_path(obj or {}, path) or () if entry.get(field)]
