"""Try out, in a throwaway sandbox, what the embedded cluster needs of this machine. For `podwalk doctor` and the boot.

Trying beats asking: kernels, container runtimes and security modules refuse the same things in different places.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from podwalk.netns import bpf, cni, command, containers, guard, pods, sandbox, system, tun
from podwalk.netns.netlink import Netlink

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_APT = "sudo apt-get install -y "
# program, Debian package, needed by every cluster
_TOOLS = (
    ("ip", "iproute2", True),
    ("iptables", "iptables", True),
    ("iptables-restore", "iptables", True),
    ("sleep", "coreutils", True),
    ("nsenter", "util-linux", False),
    ("conntrack", "conntrack", False),
    ("tcpdump", "tcpdump", False),
    ("nft", "nftables", False),
    ("ping", "iputils-ping", False),
    ("ps", "procps", False),
    ("curl", "curl", False),
    ("dig", "bind9-dnsutils", False),
    ("nc", "netcat-openbsd", False),
    ("openssl", "openssl", False),
    ("busybox", "busybox-static", False),
    ("bird", "bird2", False),  # for --cni calico
    ("nginx", "nginx-light", False),  # for the add-on ingress-nginx
    ("haproxy", "haproxy", False),  # for the add-on ingress-haproxy
    ("pebble", "pebble", False),  # the ACME server of the world outside, for the add-on cert-manager
)
_PLUGINS = ("bridge", "host-local", "portmap", "loopback", "ptp")
_RULES: tuple[tuple[str, str], ...] = (
    ("nat", "-m comment --comment probe -j RETURN"),
    ("nat", "-m statistic --mode random --probability 0.5 -j RETURN"),
    ("nat", "-m addrtype --dst-type LOCAL -j RETURN"),
    ("nat", "-m recent --name PROBE --rcheck --seconds 10 --reap -j RETURN"),
    ("nat", "-m mark --mark 0x4000/0x4000 -j RETURN"),
    ("nat", "-p tcp -m tcp -j DNAT --to-destination 10.0.0.1:80"),
    ("filter", "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"),
    ("filter", "-j REJECT"),
)


@dataclass(frozen=True)
class Check:
    """One thing tried: `detail` is what was found, `cure` one line that mends it."""

    name: str
    ok: bool
    detail: str
    cure: str = ""
    required: bool = True


def checks() -> list[Check]:
    """Try everything, the tools first. Never raises for something missing and leaves nothing behind."""
    here = system.look()
    machine = Check("system", not here.refusal(), here.detail, here.refusal())
    return [machine, *_tools(), _kubectl(), _plugins(), *(_likelier(check, here) for check in _kernel())]


def _likelier(check: Check, here: system.System) -> Check:
    """Where a switch forbids ordinary users namespaces, the sandbox may start and fail at the first thing it does."""
    if check.ok or not check.required or here.uid == 0 or not here.forbidden:
        return check
    return replace(check, cure=here.forbidden)


def _which(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_PATH}")


def _tools() -> Iterator[Check]:
    for program, package, required in _TOOLS:
        found = _which(program)
        yield Check(f"program {program}", found is not None, found or "not found", _APT + package, required)


def _kubectl() -> Check:
    found = _which("kubectl")
    return Check(
        "program kubectl", found is not None, found or "not found", "see https://kubernetes.io/docs/tasks/tools/"
    )


def _plugins() -> Check:
    try:
        found = {os.path.dirname(cni.plugin_path(plugin)) for plugin in _PLUGINS}
    except cni.CniError as error:
        return Check("CNI plugins", False, error.message, _APT + "containernetworking-plugins")
    return Check("CNI plugins", True, ", ".join(sorted(found)))


def _kernel() -> list[Check]:
    """Run the part that needs namespaces in a bare interpreter: the caller may have threads."""
    source = str(Path(__file__).resolve().parents[2])
    code = f"import sys; sys.path.insert(0, {source!r}); from podwalk.netns.probe import main; sys.exit(main())"
    try:
        done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return [Check("sandbox", False, "no answer within 60 s", "free some CPU and try again")]
    try:
        return [Check(**row) for row in json.loads(done.stdout)]
    except ValueError:
        text = done.stderr.decode(errors="replace").strip().splitlines()
        return [
            Check(
                "sandbox", False, text[-1] if text else f"exit status {done.returncode}", system.look().sandbox_cure()
            )
        ]


# --- inside the bare interpreter


def main() -> int:
    """Print the checks of the kernel as JSON."""
    guard.remember_host()
    read_end, write_end = os.pipe()
    try:
        pid = sandbox.spawn_sandbox(lambda: _report(write_end))
    except OSError as error:
        print(json.dumps([asdict(Check("sandbox", False, str(error), system.look().sandbox_cure()))]))
        return 0
    os.close(write_end)
    with open(read_end, encoding="utf-8") as answer:
        rows = json.load(answer)
    os.waitpid(pid, 0)
    how = "user namespace" if sandbox.needs_user_namespace() else "root, no user namespace"
    print(json.dumps([asdict(Check("sandbox", True, how)), *rows]))
    return 0


def _report(fd: int) -> int:
    found = [
        _attempt("nested node namespaces", _try_node, "start the container with docker run --privileged"),
        _attempt("Pod sandbox and container", _try_container, "see the text; docker run --privileged helps in Docker"),
        _attempt("bridge", lambda netlink: netlink.add_bridge("probe0"), "sudo modprobe bridge"),
        _attempt("veth", lambda netlink: netlink.add_veth("probe1", "probe2"), "sudo modprobe veth"),
        _attempt("vxlan", lambda n: n.add_vxlan("probe3", 1, 8472, "127.0.0.1"), "sudo modprobe vxlan"),
        _attempt("TUN device", _try_tun, "sudo modprobe tun (for --cni flannel-udp)", required=False),
        _attempt("BPF programs", _try_bpf, "run podwalk as root (for --cni ebpf)", required=False),
        _attempt("bridge netfilter", _try_bridge_netfilter, "sudo modprobe br_netfilter"),
        _attempt(
            "iptables rules of kube-proxy", _try_iptables, "sudo modprobe -a xt_statistic xt_recent xt_addrtype nf_nat"
        ),
    ]
    os.write(fd, json.dumps([asdict(check) for check in found]).encode())
    return 0


def _attempt(name: str, action: Callable[[Netlink], object], cure: str, *, required: bool = True) -> Check:
    try:
        with Netlink() as netlink:
            detail = action(netlink)
    except (OSError, containers.ContainerStartError) as error:
        return Check(name, False, str(error), cure, required)
    return Check(name, True, detail if isinstance(detail, str) else "works", required=required)


def _run_node(main: Callable[[], int]) -> int:
    node = sandbox.spawn_node("probe", main)
    node.go()
    _, status = os.waitpid(node.pid, 0)
    node.close()
    return os.waitstatus_to_exitcode(status)


def _try_node(_: Netlink) -> None:
    code = _run_node(lambda: 0)
    if code != 0:
        raise OSError(f"the node ended with status {code}")


def _try_container(_: Netlink) -> None:
    read_end, write_end = os.pipe()

    def container() -> int:
        try:
            return _container()
        except (OSError, containers.ContainerStartError) as error:
            os.write(write_end, str(error).encode())
            return 1

    code = _run_node(container)
    os.close(write_end)
    with open(read_end, "rb") as answer:
        text = answer.read().decode(errors="replace")
    if code != 0:
        raise OSError(text or f"the node ended with status {code}")


def _container() -> int:
    pod = pods.create_pod_sandbox(uid="probe", hostname="probe")
    process = containers.start_container(containers.ContainerSpec(pod, "probe", ["sh", "-c", "exit 7"]))
    _, status = os.waitpid(process.pid, 0)
    pods.remove_pod_sandbox(pod)
    if os.waitstatus_to_exitcode(status) != 7:
        raise OSError(f"a container that should exit with 7 ended with wait status {status}")
    return 0


def _try_tun(_: Netlink) -> None:
    fd, _name = tun.open_tun("probe%d")
    os.close(fd)


def _try_bpf(_: Netlink) -> None:
    if (reason := bpf.may_load()) is not None:
        raise OSError(f"bpf(2): {reason}")


def _try_bridge_netfilter(netlink: Netlink) -> None:
    with contextlib.suppress(OSError):
        netlink.add_bridge("probe4")  # may load the module
    path = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if not path.exists():
        raise OSError("/proc/sys/net/bridge/bridge-nf-call-iptables does not exist")
    path.write_text("1")


def _try_iptables(_: Netlink) -> str:
    for table, rule in _RULES:
        _iptables("-t", table, "-A", "OUTPUT" if table == "nat" else "FORWARD", *rule.split())
    _iptables(*["-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE", "--random-fully"])
    return _iptables("-V").strip()


def _iptables(*arguments: str) -> str:
    done = command.run_sync(["iptables", *arguments], env={"PATH": _PATH})
    if done.returncode != 0:
        text = done.stderr.decode(errors="replace").strip().splitlines()
        raise OSError(f"iptables {' '.join(arguments)}: {text[0] if text else done.returncode}")
    return done.stdout.decode(errors="replace")
