"""Run CNI plugins: ADD and DEL of a list of plugins, each getting the result of the one before.

Stands in for libcni (github.com/containernetworking/cni/libcni), protocol 1.0.0. The plugins are the real ones and run
in the node's namespaces.
"""

import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from podwalk.netns import command, guard
from podwalk.netns.reaper import Reaper

PLUGIN_DIRECTORIES = ("/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni")
_SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Json = dict[str, Any]


class CniError(Exception):
    """A plugin failed; the text is the one that libcni gives the kubelet."""

    def __init__(self, plugin: str, code: int, message: str, details: str = "", *, operation: str = "add") -> None:
        text = message + (f"; {details}" if details else "")
        super().__init__(f'plugin type="{plugin}" failed ({operation}): {text}')
        self.plugin, self.code, self.message = plugin, code, text


@dataclass(frozen=True)
class Result:
    """What ADD returned: `ips` without prefix lengths, and the whole document in `raw`."""

    ips: list[str]
    raw: Json


def plugin_path(plugin: str) -> str:
    """Find a plugin. Raises CniError in the words of libcni."""
    for directory in PLUGIN_DIRECTORIES:
        path = os.path.join(directory, plugin)
        if os.access(path, os.X_OK):
            return path
    where = " ".join(PLUGIN_DIRECTORIES)
    raise CniError(plugin, 4, f'failed to find plugin "{plugin}" in path [{where}]')


async def add(
    reaper: Reaper,
    conflist: Json,
    *,
    container_id: str,
    netns_path: str,
    ifname: str = "eth0",
    args: Mapping[str, str],
    capability_args: Mapping[str, Any] | None = None,
) -> Result:
    """Plug a container in. Raises CniError, TimeoutError; call `delete` afterwards to undo what did succeed."""
    call = _Call(reaper, container_id, netns_path, ifname, args, capability_args or {})
    previous: Json | None = None
    for plugin in conflist["plugins"]:
        previous = await call.run("ADD", conflist, plugin, previous) or previous
    raw = previous or {}
    ips = [str(ipaddress.ip_interface(ip["address"]).ip) for ip in raw.get("ips") or ()]
    return Result(ips, raw)


async def delete(
    reaper: Reaper,
    conflist: Json,
    *,
    container_id: str,
    netns_path: str,
    ifname: str = "eth0",
    args: Mapping[str, str],
    capability_args: Mapping[str, Any] | None = None,
    previous: Result | None = None,
) -> None:
    """Unplug a container: the plugins in reverse. Raises the first error after all have been called."""
    call = _Call(reaper, container_id, netns_path, ifname, args, capability_args or {})
    first: Exception | None = None
    for plugin in reversed(conflist["plugins"]):
        try:
            await call.run("DEL", conflist, plugin, previous.raw if previous else None)
        except (CniError, TimeoutError) as error:
            first = first or error
    if first is not None:
        raise first


@dataclass(frozen=True)
class _Call:
    reaper: Reaper
    container_id: str
    netns_path: str
    ifname: str
    args: Mapping[str, str]
    capability_args: Mapping[str, Any]

    async def run(self, operation: str, conflist: Json, plugin: Json, previous: Json | None) -> Json | None:
        guard.refuse_host()
        name = str(plugin["type"])
        path = plugin_path(name)
        done = await command.run(
            self.reaper,
            [path],
            stdin=json.dumps(self._configuration(conflist, plugin, previous)).encode(),
            env={
                "CNI_COMMAND": operation,
                "CNI_CONTAINERID": self.container_id,
                "CNI_NETNS": self.netns_path,
                "CNI_IFNAME": self.ifname,
                "CNI_ARGS": ";".join(f"{key}={value}" for key, value in self.args.items()),
                "CNI_PATH": ":".join(PLUGIN_DIRECTORIES),
                "PATH": _SEARCH_PATH,
            },
        )
        if done.returncode != 0:
            raise _error(name, operation, done)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def _configuration(self, conflist: Json, plugin: Json, previous: Json | None) -> Json:
        """One plugin's configuration; runtimeConfig only for what it declares in `capabilities`."""
        configuration = {key: value for key, value in plugin.items() if key != "capabilities"}
        configuration |= {"name": conflist["name"], "cniVersion": conflist.get("cniVersion", "1.0.0")}
        declared = plugin.get("capabilities") or {}
        runtime = {key: value for key, value in self.capability_args.items() if declared.get(key)}
        if runtime:
            configuration["runtimeConfig"] = runtime
        if previous is not None:
            configuration["prevResult"] = previous
        return configuration


def _error(plugin: str, operation: str, done: command.Completed) -> CniError:
    try:
        document = json.loads(done.stdout)
        code, message = int(document["code"]), str(document["msg"])
        details = str(document.get("details") or "")
    except (ValueError, KeyError, TypeError):
        text = done.stderr.decode(errors="replace").strip() or done.stdout.decode(errors="replace").strip()
        code, details = 999, ""
        message = (
            f"netplugin failed: {text!r}" if text else f"netplugin failed with no error message: {done.returncode}"
        )
    return CniError(plugin, code, message, details, operation=operation.lower().replace("del", "delete"))
