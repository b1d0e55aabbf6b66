"""The CNI plugin `calico`: a cable, a /32, and a gateway that no one has.

Stands in for cni-plugin/pkg/plugin and cni-plugin/pkg/dataplane/linux/dataplane_linux.go of Calico, for one interface
and IPv4. A program of its own, called through the CNI protocol in the node's namespaces; standard library only.
"""

import contextlib
import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from podwalk.netns import guard, syscalls
from podwalk.netns.netlink import Netlink, NetlinkError
from podwalk.network.calico.ipam import ExhaustedError, Ipam

PROGRAM = Path("/opt/cni/bin/calico")
GATEWAY = "169.254.1.1"
HOST_MAC = "ee:ee:ee:ee:ee:ee"
VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0"]

# The host's end answers ARP for every address at once, forwards, and takes only packets from the Pod's own address.
_HOST_SYSCTLS = (
    ("ipv4/conf/{}/proxy_arp", "1"),
    ("ipv4/neigh/{}/proxy_delay", "0"),
    ("ipv4/conf/{}/forwarding", "1"),
    ("ipv4/conf/{}/route_localnet", "1"),
    ("ipv4/conf/{}/rp_filter", "1"),
)

Json = dict[str, Any]


class PluginError(Exception):
    """The call cannot be done; ``code`` is one of the CNI specification's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def device_name(namespace: str, pod: str) -> str:
    """The name of the host's end: `cali` and eleven digits of a hash (libcalico-go, VethNameForWorkload)."""
    return "cali" + hashlib.sha1(f"{namespace}.{pod}".encode(), usedforsecurity=False).hexdigest()[:11]


def add(config: Json, env: Mapping[str, str], ipam: Ipam) -> Json:
    """Wire a container; the result document. Raises PluginError, NetlinkError, OSError, ExhaustedError."""
    args = _arguments(env)
    handle = _handle(config, env)
    namespace, pod = args.get("K8S_POD_NAMESPACE", "default"), args.get("K8S_POD_NAME", env["CNI_CONTAINERID"])
    device, ifname = device_name(namespace, pod), env["CNI_IFNAME"]
    address = ipam.assign(handle, {"namespace": namespace, "pod": pod, "device": device})
    with Netlink() as netlink, _open(env["CNI_NETNS"]) as namespace_fd:
        # One that is still there belongs to a container of this Pod that has gone.
        netlink.delete_link(device)
        netlink.add_veth(device, ifname, peer_ns_fd=namespace_fd, mtu=int(config.get("mtu") or 1500), mac=HOST_MAC)
        try:
            for name, value in _HOST_SYSCTLS:
                Path("/proc/sys/net", name.format(device)).write_text(value)
            netlink.set_up(device)
            mac = _in_namespace(namespace_fd, ifname, address)
            netlink.replace_route(f"{address}/32", dev=device)
        except BaseException:
            netlink.delete_link(device)
            raise
    return {
        "cniVersion": config.get("cniVersion", "1.0.0"),
        "interfaces": [{"name": device, "mac": HOST_MAC}, {"name": ifname, "mac": mac, "sandbox": env["CNI_NETNS"]}],
        "ips": [{"address": f"{address}/32", "interface": 1, **({"version": "4"} if _is_old(config) else {})}],
    }


def _is_old(config: Json) -> bool:
    """Before version 1.0.0 of the specification each address says which IP version it is of."""
    return str(config.get("cniVersion", "1.0.0")).startswith("0.")


def _in_namespace(namespace_fd: int, ifname: str, address: str) -> str:
    """Set up the container's end; its hardware address."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.setns(namespace_fd, syscalls.CLONE_NEWNET)
        with Netlink() as netlink:
            netlink.add_address(ifname, f"{address}/32")
            netlink.set_up(ifname)
            netlink.replace_route(f"{GATEWAY}/32", dev=ifname)
            netlink.replace_route("default", via=GATEWAY, dev=ifname)
            link = netlink.link(ifname)
    finally:
        syscalls.setns(home, syscalls.CLONE_NEWNET)
        os.close(home)
    return link.mac if link else ""


def delete(config: Json, env: Mapping[str, str], ipam: Ipam) -> None:
    """Unwire a container; what is gone already is no error."""
    released = ipam.release(_handle(config, env))
    if released is None:
        return
    device = str(released["device"])
    # A Pod that came again under its name has a device of the same name.
    if ipam.holder(device) is None:
        with Netlink() as netlink:
            netlink.delete_link(device)


def _handle(config: Json, env: Mapping[str, str]) -> str:
    return f"{config.get('name', 'k8s-pod-network')}.{env['CNI_CONTAINERID']}"


def _arguments(env: Mapping[str, str]) -> dict[str, str]:
    pairs = (word.partition("=") for word in env.get("CNI_ARGS", "").split(";"))
    return {key: value for key, _, value in pairs if key}


@contextlib.contextmanager
def _open(path: str) -> Iterator[int]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise PluginError(3, f"failed to open netns {path}: {error.strerror}") from None
    try:
        yield fd
    finally:
        os.close(fd)


def run(env: Mapping[str, str], stdin: str, ipam: Ipam) -> tuple[int, Json | None]:
    """Answer one call: exit status and document."""
    command = env.get("CNI_COMMAND", "")
    version = "1.0.0"
    try:
        config = json.loads(stdin)
        version = config.get("cniVersion", version)
        if command == "VERSION":
            return 0, {"cniVersion": version, "supportedVersions": VERSIONS}
        missing = [n for n in ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME") if not env.get(n)]
        if missing and (command, missing) != ("DEL", ["CNI_NETNS"]):
            raise PluginError(4, f"required env variables [{','.join(missing)}] missing")
        if command == "ADD":
            return 0, add(config, env, ipam)
        if command == "DEL":
            delete(config, env, ipam)
            return 0, None
        if command in ("CHECK", "STATUS", "GC"):
            return 0, None
        raise PluginError(4, f"unknown CNI_COMMAND: {command}")
    except ValueError as error:
        code, text = 6, f"failed to decode the configuration: {error}"
    except PluginError as error:
        code, text = error.code, str(error)
    except (ExhaustedError, NetlinkError, OSError) as error:
        code, text = 999, str(error)
    return 1, {"cniVersion": version, "code": code, "msg": text}


def main(host_inode: int) -> None:
    """The program. ``host_inode`` is the network namespace that nobody may change."""
    guard.remember(host_inode)
    code, document = run(os.environ, sys.stdin.read(), Ipam())
    if document is not None:
        print(json.dumps(document))
    sys.exit(code)


def install(path: Path = PROGRAM) -> None:
    """Write the program where runtimes look for plugins (the install-cni container's role)."""
    source = str(Path(__file__).resolve().parents[3])
    text = (
        f"#!{sys.executable} -IS\n"
        f"import sys; sys.path.insert(0, {source!r})\n"
        "from podwalk.network.calico.plugin import main\n"
        f"main({guard.host_inode()})\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    fresh.chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
    fresh.rename(path)
