"""Bodies about sandboxes, nodes and their networks."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from body_tools import (
    Body,
    a_pod,
    answer,
    asynchronous,
    in_node,
    run,
)

from podwalk.netns import cni, command, netlink, pods, sandbox, seccomp, tun
from podwalk.netns.netlink import Netlink, NetlinkError
from podwalk.netns.reaper import Reaper


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


def broken_pipe() -> str:
    """What a server gets that writes to a client which has gone."""
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        try:
            ours.send(b"x")
        except BrokenPipeError:
            return "an error"
    return "nothing"


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
            "broken pipe": broken_pipe(),
            "hosts": "worker-7" in Path("/etc/hosts").read_text(),
            "iptables": command.run_sync(["iptables", "-t", "nat", "-S"]).returncode,
        }

    return in_node(body, "worker-7")


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


def tunnel_devices() -> dict[str, list[str]]:
    """A packet into a device that a program reads, and one out of it, for both kinds of device."""
    found = {}
    for kind in ("tun", "cable"):
        if kind == "tun":
            if not os.access(tun.DEVICE, os.R_OK | os.W_OK):  # not there, or for root alone
                continue
            (fd, name), header = tun.open_tun("flannel%d"), b""
        else:
            name = "flannel9"
            fd, header = tun.open_cable(name)
        with Netlink() as net, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            net.add_address(name, "10.7.0.0/32")
            net.set_up(name)
            net.replace_route("10.7.0.0/16", dev=name)
            udp.settimeout(0.1)
            udp.sendto(b"out", ("10.7.0.9", 7))
            packet = b""
            while not packet.startswith(b"\x45"):  # IPv6 asks for its neighbours first
                packet = os.read(fd, 2000)[len(header) :]
            source, target = packet[12:16], packet[16:20]
            # The same packet back, ends exchanged: the sums stay what they are.
            answer = packet[:12] + target + source + packet[22:24] + packet[20:22] + packet[24:]
            data = b""
            deadline = time.monotonic() + 20
            # A cable's ends are switched on by the kernel's own time; until then they drop.
            while not data and time.monotonic() < deadline:
                os.write(fd, header + answer)
                with contextlib.suppress(TimeoutError):
                    data, (sender, port) = udp.recvfrom(100)
            link = next(one for one in net.links() if one.name == name)
            found[kind] = [link.kind, data.decode(), sender, str(port)]
            os.close(fd)
            net.delete_link(name)
            found[kind].append(" ".join(sorted(one.name for one in net.links())))
    return found


def named_beside_pods() -> Any:
    def body() -> Any:
        with a_pod() as pod:
            made = subprocess.run(["ip", "netns", "add", "by-hand"], capture_output=True, text=True, check=False)
            beside = sorted(os.listdir("/run/netns"))
        subprocess.run(["ip", "netns", "del", "by-hand"], check=False)
        return {
            "said": made.stderr,
            "beside": beside,
            "pod": Path(pod.netns_path).name,
            "left": os.listdir("/run/netns"),
        }

    return in_node(body)
