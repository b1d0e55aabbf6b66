"""What runs inside the sandbox: each function returns something JSON can carry, the tests judge it.

Started by `python bodies.py NAME`, also as an ordinary user: standard library and podwalk.netns only.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from podwalk.netns import cni, command, containers, enter, guard, netlink, pods, sandbox, seccomp
from podwalk.netns.containers import ContainerProcess, ContainerSpec, ContainerStartError, Mount
from podwalk.netns.netlink import Netlink, NetlinkError
from podwalk.netns.pods import PodSandbox
from podwalk.netns.reaper import Reaper

Body = Callable[[], Any]


def answer(body: Body, fd: int) -> int:
    """Write what `body` returns, or its traceback, as JSON."""
    try:
        result = {"result": body()}
    except BaseException:
        result = {"error": traceback.format_exc()}
    with open(fd, "w") as out:
        json.dump(result, out)
    return 0


def in_node(body: Body, name: str = "worker") -> Any:
    """Run a body as pid 1 of a node; called in the sandbox's init."""
    read_end, write_end = os.pipe()
    node = sandbox.spawn_node(name, lambda: answer(body, write_end))
    node.go()
    os.close(write_end)
    with open(read_end) as file:
        result = json.load(file)
    os.waitpid(node.pid, 0)
    node.close()
    if "error" in result:
        raise AssertionError(result["error"])
    return result["result"]


def read_all(fd: int) -> str:
    data = b""
    with contextlib.suppress(OSError):  # a terminal answers EIO at its end
        while chunk := os.read(fd, 65536):
            data += chunk
    os.close(fd)
    return data.decode()


def finish(process: ContainerProcess) -> dict[str, Any]:
    if process.stdin_fd is not None:
        os.close(process.stdin_fd)
    out = read_all(process.stdout_fd)
    err = "" if process.stderr_fd is None else read_all(process.stderr_fd)
    code = os.waitstatus_to_exitcode(os.waitpid(process.pid, 0)[1])
    containers.release(process)
    return {"code": code, "out": out, "err": err}


def run(pod: PodSandbox, *argv: str, **fields: Any) -> dict[str, Any]:
    return finish(containers.start_container(ContainerSpec(pod, "c", list(argv), **fields)))


def refusal(pod: PodSandbox, *argv: str, **fields: Any) -> str:
    try:
        run(pod, *argv, **fields)
    except ContainerStartError as error:
        return str(error)
    return "started"


@contextlib.contextmanager
def a_pod(**fields: Any) -> Any:
    pod = pods.create_pod_sandbox(uid="pod-uid", hostname="web-1", **fields)
    yield pod
    pods.remove_pod_sandbox(pod)
    os.waitpid(pod.pid, 0)


# --- bodies that run in the sandbox's init


def sandbox_facts() -> Any:
    with Netlink() as links:
        return {
            "pid": os.getpid(),
            "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
            "links": [[link.name, link.up] for link in links.links()],
            "uid": os.getuid(),
        }


def links() -> Any:
    with Netlink() as net:
        net.add_bridge("br0", mtu=1400)
        net.add_veth("veth0", "veth1", mtu=1400, mac="02:00:00:00:00:01", peer_mac="02:00:00:00:00:02")
        net.set_master("veth0", "br0")
        for name in ("br0", "veth0", "veth1"):
            net.set_up(name)
        net.add_address("br0", "10.1.0.1/24")
        net.add_route("10.9.0.0/16", via="10.1.0.2")
        net.replace_route("10.9.0.0/16", via="10.1.0.3", src="10.1.0.1")
        net.add_route("10.8.0.0/16", via="192.0.2.1", dev="br0", onlink=True)
        net.add_neighbour("br0", "10.1.0.3", "02:00:00:00:00:03")
        net.add_vxlan("vx1", vni=1, port=8472, local="10.1.0.1", mtu=1350, mac="02:00:00:00:00:04")
        net.add_fdb("vx1", "02:00:00:00:00:05", "10.1.0.9")
        made = {
            "links": {link.name: [link.kind, link.mtu, link.mac, link.master] for link in net.links()},
            "addresses": [address.address for address in net.addresses("br0") if ":" not in address.address],
            "routes": {route.dst: [route.via, route.dev, route.src, route.onlink] for route in net.routes()},
            "neighbours": [[n.dst, n.mac] for n in net.neighbours() if n.state & 0x80],
            "fdb": [[n.dev, n.dst, n.mac] for n in net.neighbours(netlink.rt.AF_BRIDGE) if n.dst],
        }
        for _ in range(2):  # the second time there is nothing left to delete
            net.delete_route("10.9.0.0/16")
            net.delete_neighbour("br0", "10.1.0.3")
            net.delete_fdb("vx1", "02:00:00:00:00:05", "10.1.0.9")
            net.delete_address("br0", "10.1.0.1/24")
            for name in ("vx1", "veth0", "br0"):
                net.delete_link(name)
        return {**made, "left": sorted(link.name for link in net.links()), "routes left": len(net.routes())}


def netlink_errors() -> Any:
    found = []
    with Netlink() as net:
        net.add_bridge("br0")
        for action in (
            lambda: net.add_bridge("br0"),
            lambda: net.set_up("nope"),
            lambda: net.add_route("10.0.0.0/8", via="192.0.2.1"),
        ):
            try:
                action()
            except NetlinkError as error:
                found.append([error.operation, errno.errorcode[error.errno or 0]])
    return found


def overlay() -> Any:
    """Two nodes on one bridge, a VXLAN between them as flannel makes it, one ping through it."""

    def node(index: int, go_on: int) -> Body:
        def body() -> Any:
            other = 3 - index
            with Netlink() as net:
                net.add_address("eth0", f"172.18.0.{index}/16")
                net.set_up("eth0")
                net.add_vxlan("flannel.1", 1, 8472, f"172.18.0.{index}", mtu=1450, mac=f"02:00:00:00:00:0{index}")
                net.add_address("flannel.1", f"10.244.{index}.0/32")
                net.set_up("flannel.1")
                net.add_neighbour("flannel.1", f"10.244.{other}.0", f"02:00:00:00:00:0{other}")
                net.add_fdb("flannel.1", f"02:00:00:00:00:0{other}", f"172.18.0.{other}")
                net.add_route(f"10.244.{other}.0/24", via=f"10.244.{other}.0", dev="flannel.1", onlink=True)
            if index == 2:
                os.read(go_on, 1)  # stay until the other one has its answer
                return None
            deadline = time.monotonic() + 10
            while True:
                done = subprocess.run(["ping", "-c1", "-W1", "10.244.2.0"], capture_output=True, text=True, check=False)
                if done.returncode == 0 or time.monotonic() > deadline:
                    return [done.returncode, done.stdout + done.stderr]

        return body

    hold_read, hold_write = os.pipe()
    with Netlink() as net:
        net.add_bridge("kind0")
        net.set_up("kind0")
        outputs, nodes = {}, []
        for index in (2, 1):
            read_end, write_end = os.pipe()
            body = node(index, hold_read)
            process = sandbox.spawn_node(
                f"node{index}", lambda b=body, w=write_end: answer(b, w), keep_fds=[hold_read, write_end]
            )
            with process.netns_fd() as fd:
                net.add_veth(f"veth{index}", "eth0", peer_ns_fd=fd)
            net.set_master(f"veth{index}", "kind0")
            net.set_up(f"veth{index}")
            os.close(write_end)
            process.go()
            outputs[index] = read_end
            nodes.append(process)
    with open(outputs[1]) as file:
        result = json.load(file)
    os.write(hold_write, b"x")
    for process in nodes:
        os.waitpid(process.pid, 0)
    return result.get("result") or [1, result["error"]]


def fake_credentials() -> Any:
    Path("/run/x").touch()
    return {
        "single": seccomp.single_uid(),
        "chown": subprocess.run(["chown", "1234:1234", "/run/x"], check=False).returncode,
        "setpriv": subprocess.run(["setpriv", "--reuid", "33", "--clear-groups", "true"], check=False).returncode,
    }


# --- bodies that run in a node


def node_facts() -> Any:
    def body() -> Any:
        tried = {}
        for path in ("/usr/touched", "/proc/sys/vm/max_map_count", "/etc/touched", "/proc/sys/net/ipv4/ip_forward"):
            try:
                Path(path).write_text(Path(path).read_text() if path.startswith("/proc") else "x")
                tried[path] = "written"
            except OSError as error:
                tried[path] = errno.errorcode[error.errno or 0]
        return {
            "pid": os.getpid(),
            "hostname": socket.gethostname(),
            "tried": tried,
            "home": os.listdir("/home"),
            "hosts": "worker-7" in Path("/etc/hosts").read_text(),
            "iptables": command.run_sync(["iptables", "-t", "nat", "-S"]).returncode,
        }

    return in_node(body, "worker-7")


def container_exits() -> Any:
    def body() -> Any:
        with a_pod() as pod:
            return {
                "streams": run(pod, "sh", "-c", "echo out; echo err >&2; exit 3"),
                "signal": run(pod, "sh", "-c", "kill -9 $$")["code"],
                "stdin": run_with_input(pod, b"typed", "cat"),
                "no stdin": run(pod, "cat")["code"],
                "environment": run(pod, "sh", "-c", "echo $A $PWD; hostname", env={"A": "b"}, cwd="/var/deep")["out"],
                "tty": run(pod, "sh", "-c", "tty; stty size; exit 4", tty=True),
                "python": run(pod, sys.executable, "-c", "print(6 * 7)")["out"],
                "minimal": run(pod, "sh", "-c", "ls /usr/lib 2>&1; echo $0", image="minimal")["out"],
            }

    return in_node(body)


def run_with_input(pod: PodSandbox, data: bytes, *argv: str) -> str:
    process = containers.start_container(ContainerSpec(pod, "c", list(argv), stdin=True))
    assert process.stdin_fd is not None
    os.write(process.stdin_fd, data)
    return str(finish(process)["out"])


def container_refusals() -> Any:
    def body() -> Any:
        with a_pod() as pod:
            files = {"/plain": b"", "/not-a-program": b"\0\0"}
            return [
                refusal(pod, "foo"),
                refusal(pod, "/foo"),
                refusal(pod, "/plain", files=files),
                refusal(pod, "/usr"),
                refusal(pod, "id", mounts=[Mount("/nope", "/x")]),
                refusal(pod, "id", image="other"),
            ]

    return in_node(body)


def container_root() -> Any:
    def body() -> Any:
        volume = Path("/var/lib/kubelet/volume")
        volume.mkdir(parents=True)
        (volume / "token").write_text("secret")
        Path("/run/only-on-the-node").touch()
        mounts = [Mount(str(volume), "/var/run/secrets/here", True), Mount(str(volume), "/data")]
        script = "cat /var/run/secrets/here/token; ls -A / /run /home; cut -d' ' -f2 /proc/mounts; ps ax -o pid,args"
        with a_pod(sysctls={"net.core.somaxconn": "17"}) as pod:
            shown = run(pod, "sh", "-c", script, mounts=mounts, files={"/etc/hosts": b"1.2.3.4 me\n"})
            return {
                "shown": shown["out"] + shown["err"],
                "hosts": run(pod, "getent", "hosts", "me", files={"/etc/hosts": b"1.2.3.4 me\n"})["out"],
                "write ro": run(pod, "touch", "/var/run/secrets/here/x", mounts=mounts)["code"],
                "write rw": run(pod, "touch", "/data/x", mounts=mounts)["code"],
                "on the node": sorted(path.name for path in volume.iterdir()),
                "sysctl": run(pod, "cat", "/proc/sys/net/core/somaxconn")["out"],
                "sysctl write": run(pod, "sh", "-c", "echo 1 > /proc/sys/net/core/somaxconn")["code"],
                "lo": run(pod, "ping", "-c1", "-W2", "127.0.0.1")["code"],
                "usr": run(pod, "touch", "/usr/x")["code"],
            }

    return in_node(body)


def container_rights() -> Any:
    def body() -> Any:
        show = "grep -h -e CapEff -e CapBnd -e CapInh /proc/self/status | cut -f2"
        with a_pod() as pod:
            return {
                "default": run(pod, "sh", "-c", show)["out"].split(),
                "none": run(pod, "sh", "-c", show, capabilities=())["out"].split(),
                "user": run(pod, "sh", "-c", show, uid=1000, gid=1000)["out"].split()[1],
                "link": run(pod, "ip", "link", "add", "d0", "type", "bridge")["code"],
                "NET_ADMIN": run(pod, "ip", "link", "add", "d1", "type", "bridge", capabilities=["NET_ADMIN"])["code"],
                "mount privileged": run(pod, *["mount", "-t", "tmpfs", "x", "/mnt"], privileged=True)["code"],
                "mount": run(pod, *["mount", "-t", "tmpfs", "x", "/mnt"])["code"],
            }

    return in_node(body)


def exec_in_containers() -> Any:
    def body() -> Any:
        with a_pod() as pod:
            main = containers.start_container(ContainerSpec(pod, "c", ["sleep", "1000"], files={"/marker": b"here"}))
            do = containers.exec_in_container
            found: dict[str, Any] = {
                "plain": finish(do(main, ["cat", "/marker"], {}, tty=False, stdin=False)),
                "tty": finish(do(main, ["sh", "-c", "stty size; exit 7"], {}, tty=True, stdin=True, size=(33, 99))),
            }
            shell = do(
                main,
                ["sh", "-c", "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.01; done"],
                {},
                tty=True,
                stdin=True,
            )
            first = os.read(shell.stdout_fd, 100)
            containers.resize(shell, 12, 34)
            found["resized"] = [first.decode().strip(), finish(shell)["out"].strip()]
            try:
                do(main, ["nope"], {}, tty=True, stdin=False)
            except ContainerStartError as error:
                found["refused"] = str(error)
            found["root"] = Path(containers.root_path(main, "/marker")).read_text()
            containers.signal(main, signal.SIGKILL)
            found["killed"] = finish(main)["code"]
            return found

    return in_node(body)


def descriptors() -> Any:
    """Fifty starts and refusals leave no descriptor and no child behind."""

    def body() -> Any:
        counts = []
        for index in range(52):
            with a_pod() as pod:
                run(pod, "true", stdin=True)
                refusal(pod, "nope", tty=bool(index % 2))
            if index in (1, 51):
                counts.append(len(os.listdir("/proc/self/fd")))
        try:
            os.waitpid(-1, os.WNOHANG)
            children = True
        except ChildProcessError:
            children = False
        return {"counts": counts, "children": children, "netns": os.listdir("/run/netns")}

    return in_node(body)


def asynchronous(main: Callable[[Reaper], Any]) -> Any:
    async def go() -> Any:
        reaper = Reaper(asyncio.get_running_loop())
        try:
            return await main(reaper)
        finally:
            reaper.close()

    return in_node(lambda: asyncio.run(go()))


def reaping() -> Any:
    async def main(reaper: Reaper) -> Any:
        def child(code: int) -> int:
            pid = os.fork()
            if pid == 0:
                os._exit(code)
            return pid

        early = child(5)
        while os.path.exists(f"/proc/{early}"):  # noqa: ASYNC110 until the reaper has collected it, unwatched
            await asyncio.sleep(0.001)
        killed = subprocess.Popen(["sleep", "1000"])  # noqa: ASYNC220
        future = reaper.watch(killed.pid)
        os.kill(killed.pid, signal.SIGTERM)
        try:
            reaper.watch(99999)
            unknown = "watched"
        except ChildProcessError:
            unknown = "refused"
        result = [await reaper.watch(early), await reaper.watch(child(6)), await future, unknown]
        killed.returncode = 0
        orphan = await command.run(reaper, ["sh", "-c", "sleep 0.01 & echo $!"])
        while os.path.exists(f"/proc/{orphan.stdout.decode().strip()}"):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        return result

    return asynchronous(main)


def commands() -> Any:
    async def main(reaper: Reaper) -> Any:
        big = b"x" * 1_000_000
        echoed = await command.run(reaper, ["cat"], stdin=big)
        failed = await command.run(reaper, ["sh", "-c", "echo no >&2; exit 9"], env={"PATH": "/bin"}, cwd="/tmp")
        ignored = await command.run(reaper, ["true"], stdin=big)
        lingering = await command.run(reaper, ["sh", "-c", "sleep 60 & echo done"])
        errors = []
        for argv in (["sleep", "60"], ["no-such-program"]):
            try:
                await command.run(reaper, argv, timeout=0.2)
            except (TimeoutError, FileNotFoundError) as error:
                errors.append(type(error).__name__)
        fds = len(os.listdir("/proc/self/fd"))
        await command.run(reaper, ["true"])
        return {
            "echoed": echoed.stdout == big,
            "failed": [failed.returncode, failed.stderr.decode()],
            "ignored": ignored.returncode,
            "lingering": lingering.stdout.decode(),
            "errors": errors,
            "leak": len(os.listdir("/proc/self/fd")) - fds,
            "sleeping": sum(p.read_bytes() == b"sleep\x0060\0" for p in Path("/proc").glob("[0-9]*/cmdline")),
        }

    return asynchronous(main)


CONFLIST = {
    "cniVersion": "1.0.0",
    "name": "cbr0",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "ipam": {
                "type": "host-local",
                "dataDir": "/var/lib/cni/networks",
                "ranges": [[{"subnet": "10.244.1.0/24"}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}


def plugins() -> Any:
    async def main(reaper: Reaper) -> Any:
        pod = pods.create_pod_sandbox(uid="pod-uid", hostname="web-1")
        mappings = {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}
        call = {
            "container_id": "abc",
            "netns_path": pod.netns_path,
            "args": {"IgnoreUnknown": "1"},
            "capability_args": mappings,
        }
        result = await cni.add(reaper, CONFLIST, **call)
        ping = await command.run(reaper, ["ping", "-c1", "-W2", result.ips[0]])
        rules = await command.run(reaper, ["iptables", "-t", "nat", "-S"])
        try:
            await cni.add(reaper, CONFLIST, **call)
            again = "added twice"
        except cni.CniError as error:
            again = f"{error.plugin}: {error}"
        await cni.delete(reaper, CONFLIST, **call)
        try:
            await cni.add(reaper, {**CONFLIST, "plugins": [{"type": "nope"}]}, **call)
            missing = "found"
        except cni.CniError as error:
            missing = str(error)
        left = await command.run(reaper, ["iptables", "-t", "nat", "-S"])
        pods.remove_pod_sandbox(pod)
        await reaper.watch(pod.pid)
        return {
            "ips": result.ips,
            "ping": ping.returncode,
            "hostPort": "--dport 8080" in rules.stdout.decode(),
            "hostPort left": "--dport 8080" in left.stdout.decode(),
            "again": again,
            "missing": missing,
        }

    return asynchronous(main)


def pod_sockets() -> Any:
    def body() -> Any:
        with a_pod() as pod:
            listener = pods.open_socket(pod)
            listener.bind(("127.0.0.1", 80))
            listener.listen()
            client = pods.open_socket(pod)
            client.connect(("127.0.0.1", 80))
            with socket.socket() as outside:
                refused = outside.connect_ex(("127.0.0.1", 80))
            listener.close()
            client.close()
            host = pods.create_pod_sandbox(uid="host", hostname="ignored", host_network=True)
            name = run(host, "hostname")["out"].strip()
            pods.remove_pod_sandbox(host)
            pods.remove_pod_sandbox(host)
            os.waitpid(host.pid, 0)
            return {"outside": errno.errorcode[refused], "host network name": name, "path": host.netns_path}

    return in_node(body, "worker-7")


def busy() -> Any:
    """A node with a Pod and a container, until somebody kills it; called by `hold`."""

    def node() -> int:
        pod = pods.create_pod_sandbox(uid="pod-uid", hostname="web-1")
        containers.start_container(ContainerSpec(pod, "c", ["sleep", "1000"]))
        os.write(1, b"ready\n")
        while True:
            signal.pause()

    process = sandbox.spawn_node("worker", node)
    os.write(1, f"node {process.pid}\n".encode())
    process.go()
    os.waitpid(process.pid, 0)
    return 0


def hold() -> int:
    """Keep a busy sandbox until it ends; prints the host pid of its init."""
    pid = sandbox.spawn_sandbox(busy)
    os.write(1, f"init {pid}\n".encode())
    os.waitpid(pid, 0)
    return 0


def entering(init: int, node: int) -> int:
    """Commands from outside into the sandbox of `hold`."""

    def shown(*argv: str, **options: Any) -> list[Any]:
        done = enter.run_in_sandbox(init, argv, node_pid=node, capture=True, **options)
        return [done.returncode, done.stdout.decode(), done.stderr.decode()]

    sandboxed = enter.run_in_sandbox(init, ["hostname"], capture=True)
    script = "hostname; echo $FOO; id -u; cat; exit 5"
    found: dict[str, Any] = {
        "sandbox": [sandboxed.returncode, sandboxed.stdout.decode()],
        "node": shown("sh", "-c", script, env={"FOO": "bar"}, input=b"typed"),
        "absent": shown("no-such"),
        "no program": shown("/etc/hosts"),
        "killed": shown("sh", "-c", "kill -9 $$")[0],
        "chown": shown("chown", "1234", "/run")[0],
    }
    try:
        shown("sleep", "1234", timeout=0.5)
    except TimeoutError as error:
        found["timeout"] = str(error)
    deadline = time.monotonic() + 10
    while "sleep 1234" in shown("ps", "ax", "-o", "args")[1] and time.monotonic() < deadline:
        time.sleep(0.01)
    found["left"] = "sleep 1234" in shown("ps", "ax", "-o", "args")[1]
    read_end, write_end = os.pipe()
    enter.run_in_sandbox(init, ["hostname"], node_pid=node, stdout=write_end)
    os.close(write_end)
    found["stdout"] = read_all(read_end)
    found["terminal"] = entering_with_terminal(init, node)
    try:
        enter.run_in_sandbox(2**22 + 1, ["true"])
    except ProcessLookupError:
        found["no sandbox"] = True
    print(json.dumps(found))
    return 0


def entering_with_terminal(init: int, node: int) -> str:
    """An interactive shell with job control, on a terminal that a forked caller has."""
    pid, master = pty.fork()
    if pid == 0:
        os._exit(enter.run_in_sandbox(init, ["bash", "--norc", "-i"], node_pid=node).returncode)
    os.write(master, b"sleep 4321\n")
    deadline = time.monotonic() + 10
    listing = ""
    while "sleep 4321" not in listing.splitlines() and time.monotonic() < deadline:
        done = enter.run_in_sandbox(init, ["ps", "ax", "-o", "args"], node_pid=node, capture=True)
        listing = done.stdout.decode()
    os.write(master, b"\x03")
    os.write(master, b"echo got-$?; exit 6\n")
    output = read_all(master)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return f"{code} {'got-130' in output} {'no job control' in output}"


def guarded() -> int:
    """Not in a sandbox: everything that would change this network is refused."""
    found = []
    with Netlink() as net:
        for step in ("before", "after"):
            for action in (
                lambda: net.add_bridge("pwguard0"),
                guard.refuse_host,
                lambda: pods.create_pod_sandbox(uid="u", hostname="h"),
            ):
                try:
                    action()
                    found.append(f"{step}: allowed")
                except guard.HostNamespaceError:
                    found.append(f"{step}: refused")
            guard.remember_host()
        found.append(str(net.link("pwguard0")))
    print(json.dumps(found))
    return 0


def main() -> int:
    name = sys.argv[1]
    if name in ("hold", "guarded", "entering"):
        return int(globals()[name](*map(int, sys.argv[2:])))
    read_end, write_end = os.pipe()
    pid = sandbox.spawn_sandbox(lambda: answer(globals()[name], write_end))
    os.close(write_end)
    with open(read_end) as file:
        print(file.read())
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
