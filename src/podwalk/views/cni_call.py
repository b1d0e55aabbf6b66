"""A CNI plugin called by hand, as a container runtime calls it: by environment, standard input and output.

The protocol is that of containernetworking/cni, SPEC.md 1.0.0: CNI_COMMAND and its fellows in the environment, the
network configuration on standard input, a result or an error as JSON on standard output.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from podwalk.backends.base import BackendError, Cluster, Completed

_SECONDS = 20.0
_PLUGINS = "/opt/cni/bin"
_CONFIGURATIONS = "/etc/cni/net.d"


@dataclass(frozen=True, slots=True)
class CniCall:
    """One call: what went in, what came out. ``result`` is the plugin's JSON (empty where it prints nothing)."""

    node: str
    plugin: str
    environment: dict[str, str]
    configuration: dict[str, Any]
    returncode: int
    result: dict[str, Any]

    @property
    def address(self) -> str:
        """The address that ADD handed out, without the length of its prefix."""
        ips = self.result.get("ips") or [{}]
        return str(ips[0].get("address", "")).partition("/")[0]

    def __repr__(self) -> str:
        given = " ".join(f"{key}={value}" for key, value in self.environment.items())
        lines = [f"on {self.node}: {given}", f"  {_PLUGINS}/{self.plugin}", "standard input:"]
        lines += [_json(self.configuration), f"exit code {self.returncode}, standard output:"]
        return "\n".join([*lines, _json(self.result) if self.result else "  (nothing)"])


def call(cluster: Cluster, node: str, command: str, netns: str) -> CniCall:
    """Call the first plugin of a node's network list with ADD, CHECK, DEL or VERSION for a named network namespace.

    ADD makes the namespace where there is none, DEL takes it away; the namespace's name is the container's id too.
    Raises BackendError where the node has no configuration.
    """
    conflist = configuration(cluster, node)
    plugin = {**conflist["plugins"][0], "name": conflist["name"], "cniVersion": conflist["cniVersion"]}
    environment = {"CNI_COMMAND": command}
    if command != "VERSION":
        environment |= {"CNI_CONTAINERID": netns, "CNI_NETNS": f"/run/netns/{netns}", "CNI_IFNAME": "eth0"}
    environment["CNI_PATH"] = _PLUGINS
    if command == "ADD":
        _run(cluster, node, f"ip netns list | grep -qw {shlex.quote(netns)} || ip netns add {shlex.quote(netns)}")
    given = " ".join(f"{key}={shlex.quote(value)}" for key, value in environment.items())
    document = shlex.quote(json.dumps(plugin))
    done = _run(cluster, node, f"printf %s {document} | env {given} {_PLUGINS}/{shlex.quote(str(plugin['type']))}")
    if command == "DEL":
        _run(cluster, node, f"ip netns del {shlex.quote(netns)} 2>/dev/null")
    try:
        result = json.loads(done.stdout or "{}")
    except ValueError:
        result = {"output": done.stdout, "error": done.stderr}
    return CniCall(node, str(plugin["type"]), environment, plugin, done.returncode, result)


def configuration(cluster: Cluster, node: str) -> dict[str, Any]:
    """The network list that a node's runtime would use: the first file by name. Raises BackendError."""
    done = _run(cluster, node, f"cat $(ls {_CONFIGURATIONS}/*.conflist | head -n 1)")
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise BackendError(
            f"node/{node}: has no network list in {_CONFIGURATIONS}; see: podwalk node {node} -- ls {_CONFIGURATIONS}"
        ) from None
    return found


def _run(cluster: Cluster, node: str, script: str) -> Completed:
    return cluster.node(node, ["sh", "-c", script], timeout=_SECONDS)


def _json(document: dict[str, Any]) -> str:
    return "\n".join(f"  {line}" for line in json.dumps(document, indent=2).splitlines())
