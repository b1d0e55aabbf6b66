"""Services by BPF programs: who answers, from which address, over how many, and what is left when endpoints go."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from network_world import AGNHOST, World, boot, until

import podwalk

pytestmark = [pytest.mark.kernel, pytest.mark.cluster]

NODE = "172.18.0.3"

# One line an answer. The socket is connected, so that an answer from any address but the asked one is not heard.
_UDP = """
import socket, sys
host, port, source, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
for _ in range(times):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(3)
        asking.bind(("0.0.0.0", source))
        asking.connect((host, port))
        try:
            asking.send(b"hostname")
            print(asking.recv(100).decode().strip())
        except OSError as error:
            print(type(error).__name__)
"""
_TCP = """
import socket, sys
host, port, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for _ in range(times):
    try:
        with socket.create_connection((host, port), 3) as asking:
            asking.send(b"GET /hostname HTTP/1.0\\r\\n\\r\\n")
            print(asking.makefile().read().splitlines()[-1], asking.getpeername()[0])
    except OSError as error:
        print(type(error).__name__)
"""
# A connection that stays open: one answer, then on each line of input another one.
_OPEN = """
import http.client, sys
asking = http.client.HTTPConnection(sys.argv[1], 80, timeout=3)
for _ in range(2):
    asking.request("GET", "/hostname")
    print(asking.getresponse().read().decode(), flush=True)
    if _ == 0:
        import time, os
        deadline = time.monotonic() + 20
        while not os.path.exists(sys.argv[2]) and time.monotonic() < deadline:
            time.sleep(0.02)
"""
_LOOKUP = "import socket, sys; print(socket.gethostbyname(sys.argv[1]))"


def served(name: str, node: str) -> dict[str, Any]:
    container = {"name": "c", "image": AGNHOST, "args": ["netexec", "--http-port=8080", "--udp-port=8081"]}
    container["readinessProbe"] = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1}
    spec = {"nodeName": node, "containers": [container], "terminationGracePeriodSeconds": 0}
    metadata = {"name": name, "namespace": "default", "labels": {"app": "all", "name": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def service(name: str, selector: dict[str, str], **more: Any) -> dict[str, Any]:
    ports = [
        {"name": "http", "port": 80, "targetPort": 8080},
        {"name": "udp", "port": 81, "targetPort": 8081, "protocol": "UDP"},
    ]
    spec = {"selector": selector, "ports": ports, **more}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


# SIOCETHTOOL with ETHTOOL_STXCSUM: whether a device may leave checksums to others.
_OFFLOAD = """
import array, fcntl, socket, struct, sys
value = array.array("I", [0x17, int(sys.argv[2])])
name, address = sys.argv[1].encode(), value.buffer_info()[0]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8946, struct.pack("16sQ16x", name, address))
"""


@pytest.fixture(scope="module")
def world(podwalk_home: Path) -> Iterator[World]:
    made = boot("ebpf")
    try:
        pods = [("near", made.first), ("beside", made.first), ("far", made.second), ("far2", made.second)]
        services = [service("all", {"app": "all"}, type="LoadBalancer"), service("none", {"app": "nobody"})]
        services += [service(name, {"name": name}) for name, _ in pods]
        services += [service("local", {"name": "near"}, type="NodePort", externalTrafficPolicy="Local")]
        services += [service("fenced", {"app": "all"}, type="LoadBalancer", loadBalancerSourceRanges=["10.0.0.0/8"])]
        services += [service("faithful", {"app": "all"}, sessionAffinity="ClientIP")]
        made.create([served(*p) for p in pods], services)
        for who in ("near", "far"):  # each node has maps of its own
            until(
                lambda who=who: set(tcp(made, who, "all", 12)) >= {name for name, _ in pods}, f"all four answer {who}"
            )
            for name, _ in pods:
                until(lambda who=who, name=name: tcp(made, who, name, 1) == [name], f"{name} answers {who}")
        yield made
    finally:
        made.cluster.down()


def run(world: World, who: str, script: str, *arguments: object) -> list[str]:
    argv = [sys.executable, "-I", "-S", "-c", script, *map(str, arguments)]
    if who in world.netns:
        argv = ["nsenter", f"--net={world.netns[who]}", *argv]
        who = world.second if who.startswith("far") else world.first
    return world.on(who, *argv).splitlines()


def tcp(world: World, who: str, name: str, times: int = 1) -> list[str]:
    """Who answered, or which error; an answer came from the Service's own address."""
    address = world.services[name]
    answers = [line.split() for line in run(world, who, _TCP, address, 80, times)]
    assert {a[1] for a in answers if len(a) == 2} <= {address}
    return [a[0] for a in answers]


def udp(world: World, who: str, name: str, times: int = 1, source: int = 0) -> list[str]:
    return run(world, who, _UDP, world.services[name], 81, source, times)


def labelled(world: World, name: str, value: str) -> None:
    """Take a Pod out of the Service ``all`` or put it back, and wait until the first node's map knows."""
    world.kubectl("label", "pod", name, f"app={value}", "--overwrite")
    wanted = 3 if value == "out" else 4
    line = f"{world.services['all']}:80  from inside"
    until(lambda: any(line in text and f"{wanted} endpoints" in text for text in maps(world)), f"{wanted} endpoints")


def maps(world: World, table: str = "services") -> list[str]:
    from podwalk.cli.bpf import PROGRAM

    done = world.cluster.node(world.first, [sys.executable, "-I", "-S", "-c", PROGRAM, table])
    assert done.ok, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("who", ["near", "far"])
@pytest.mark.parametrize("name", ["beside", "far2"])
def test_a_cluster_ip_answers_here_and_there(world: World, who: str, name: str) -> None:
    assert tcp(world, who, name) == [name]
    assert udp(world, who, name) == [name]


@pytest.mark.parametrize("name", ["near", "far"])
def test_a_pod_reaches_itself(world: World, name: str) -> None:
    assert tcp(world, name, name, 3) == [name] * 3
    assert udp(world, name, name, 3) == [name] * 3


def test_checksums_hold_where_somebody_reads_them(world: World) -> None:
    """Between devices of one machine nobody does; a device that must complete them itself makes the other end check."""
    for allowed in (0, 1):
        world.on(world.first, sys.executable, "-I", "-S", "-c", _OFFLOAD, "eth0", str(allowed))
        assert tcp(world, "near", "far") == ["far"]
        assert udp(world, "near", "far") == ["far"]


def test_the_choice_is_spread_over_all_endpoints(world: World) -> None:
    # The least of four shares of 200 is below 20 once in a hundred thousand times.
    for answers in (tcp(world, "near", "all", 200), udp(world, "far", "all", 200)):
        seen = Counter(answers)
        assert set(seen) == {"near", "beside", "far", "far2"}
        assert min(seen.values()) >= 20


def test_a_process_of_the_node_reaches_services(world: World) -> None:
    for name in ("beside", "far"):
        assert tcp(world, world.first, name, 2) == [name] * 2
        assert udp(world, world.first, name, 2) == [name] * 2


def test_the_api_server_is_reached_by_its_service(world: World) -> None:
    for node in (f"{world.cluster.name}-control-plane", world.second):
        done = world.on(node, "curl", "-sk", "-m", "5", "https://10.96.0.1/version")
        assert '"gitVersion"' in done


@pytest.mark.parametrize("who", ["near", "node"])
def test_a_service_without_endpoints_refuses(world: World, who: str) -> None:
    asking = world.first if who == "node" else who
    assert tcp(world, asking, "none") == ["ConnectionRefusedError"]
    assert udp(world, asking, "none") == ["ConnectionRefusedError"]


def test_names_are_resolved_by_the_service_of_the_cluster_dns(world: World) -> None:
    world.kubectl("wait", "--for=condition=Ready", "pod", "-l", "k8s-app=kube-dns", "-n", "kube-system")
    done = world.cluster.kubectl("exec", "far", "--", "sh", "-c", "getent hosts all.default.svc.cluster.local")
    assert done.stdout.split()[:1] == [world.services["all"]], done.stderr


def test_an_endpoint_that_goes_gets_no_new_connection_and_no_datagram(world: World) -> None:
    before = udp(world, "near", "all", source=40400)[0]
    assert udp(world, "near", "all", 3, source=40400) == [before] * 3
    labelled(world, before, "out")
    try:
        after = set(udp(world, "near", "all", 3, source=40400))
        assert len(after) == 1
        assert not after & {before, "timeout", "TimeoutError"}
        assert before not in tcp(world, "near", "all", 40)
    finally:
        labelled(world, before, "all")


def test_a_connection_outlives_its_endpoints_place_in_the_service(world: World) -> None:
    from concurrent.futures import ThreadPoolExecutor

    flag = "/tmp/go-on"
    world.on(world.first, "rm", "-f", flag)
    line = f"{world.services['far']}:80"
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(run, world, "beside", _OPEN, world.services["far"], flag)
        until(lambda: [c for c in maps(world, "connections") if line in c and world.ips["beside"] in c], "it is there")
        world.kubectl("label", "pod", "far", "name=out", "--overwrite")
        until(lambda: [t for t in maps(world) if f"TCP  {line}" in t and "0 endpoints" in t], "no endpoint")
        assert tcp(world, "beside", "far") == ["ConnectionRefusedError"]
        world.on(world.first, "touch", flag)
        assert asked.result() == ["far", "far"]
    world.kubectl("label", "pod", "far", "name=far", "--overwrite")
    until(lambda: [t for t in maps(world) if f"TCP  {line}" in t and "1 endpoints" in t], "far is back")


def test_node_ports_and_load_balancers_answer_outside(world: World) -> None:
    for address in (f"{NODE}:{world.node_ports['all']}", f"{balancer(world, 'all')}:80"):
        fetch = f"for i in $(seq 80); do curl -s -m 5 http://{address}/hostname; echo; done"
        seen = Counter(world.cluster.outside(["sh", "-c", fetch]).stdout.split())
        assert set(seen) == {"near", "beside", "far", "far2"}, (address, seen, maps(world))


def balancer(world: World, name: str) -> str:
    (found,) = [s for s in world.items("services") if s["metadata"]["name"] == name]
    return str(found["status"]["loadBalancer"]["ingress"][0]["ip"])


def test_source_ranges_keep_others_out(world: World) -> None:
    fetch = ["curl", "-s", "-m", "1", "-o", "/dev/null", f"http://{balancer(world, 'fenced')}/hostname"]
    assert world.cluster.outside(fetch).returncode == 28, "172.18.0.1 is in no range: silence"
    world.kubectl("patch", "service", "fenced", "-p", '{"spec": {"loadBalancerSourceRanges": ["172.18.0.0/16"]}}')
    until(lambda: world.cluster.outside(fetch).returncode == 0, "the new range lets it in")


def test_external_traffic_policy_local_keeps_the_source(world: World) -> None:
    port = world.node_ports["local"]
    seen = world.cluster.outside(["curl", "-s", "-m", "5", f"http://{NODE}:{port}/clientip"])
    assert seen.stdout.startswith("172.18.0.1:")
    elsewhere = world.cluster.outside(["curl", "-s", "-m", "5", f"http://172.18.0.4:{port}/clientip"])
    assert elsewhere.returncode == 7, "another node refuses"


def test_session_affinity_keeps_a_client_at_one_endpoint(world: World) -> None:
    assert len(set(tcp(world, "near", "faithful", 30))) == 1
    assert len(set(udp(world, "far", "faithful", 30))) == 1


def test_a_network_policy_sees_the_endpoint_behind_a_service(world: World) -> None:
    rule = {"from": [{"podSelector": {"matchLabels": {"name": "near"}}}]}
    spec = {"podSelector": {"matchLabels": {"name": "beside"}}, "ingress": [rule]}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p"}, "spec": spec}
    world.kubectl("create", "-f", "-", input=json.dumps(policy))
    try:
        until(lambda: tcp(world, "far", "beside") == ["TimeoutError"], "the policy keeps others out")
        assert tcp(world, "near", "beside") == ["beside"]
        assert tcp(world, world.first, "beside") == ["beside"], "a node reaches its own Pods always"
    finally:
        world.kubectl("delete", "networkpolicy", "p")
    until(lambda: tcp(world, "far", "beside") == ["beside"], "everybody again")


def test_answers_reach_a_pod_that_lets_nobody_in(world: World) -> None:
    spec = {"podSelector": {"matchLabels": {"name": "near"}}, "policyTypes": ["Ingress"]}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "q"}, "spec": spec}
    world.kubectl("create", "-f", "-", input=json.dumps(policy))
    try:
        until(lambda: tcp(world, "far", "near") == ["TimeoutError"], "the policy keeps others out")
        for name in ("beside", "far"):
            # Connection tracking must know the answer as one: it sees both ways without the Service's address.
            assert tcp(world, "near", name) == [name]
            assert udp(world, "near", name) == [name]
    finally:
        world.kubectl("delete", "networkpolicy", "q")
    until(lambda: tcp(world, "far", "near") == ["near"], "everybody again")


def test_the_maps_can_be_read(world: World) -> None:
    text = "\n".join(maps(world))
    assert f"UDP  {world.services['near']}:81  from inside" in text
    assert f"-> {world.ips['near']}:8081" in text
    tcp(world, "near", "far")
    assert any(f"{world.services['far']}:80  -> {world.ips['far']}:8080" in c for c in maps(world, "connections"))
    assert any(f"from {world.services['far']}:80" in line for line in maps(world, "back"))


def test_there_is_no_kube_proxy_and_tc_shows_the_programs(world: World) -> None:
    assert "KUBE-SVC" not in world.on(world.first, "iptables-save")
    assert not [
        p
        for p in json.loads(world.kubectl("get", "pods", "-n", "kube-system", "-o", "json"))["items"]
        if p["metadata"]["name"].startswith("kube-proxy")
    ]
    device = world.on(world.first, "ip", "route", "get", world.ips["near"]).split(" dev ")[1].split()[0]
    script = (
        f"import sys; sys.path.insert(0, {str(Path(podwalk.__file__).parents[1])!r})\n"
        "from podwalk.netns.netlink import Netlink\n"
        "print(*(Netlink().classifiers(sys.argv[1], way) for way in ('ingress', 'egress')))"
    )
    assert run(world, world.first, script, device) == ["['pw_from_pod'] ['pw_to_pod']"]
    assert run(world, world.first, script, "eth0") == ["['pw_from_fabric'] ['pw_to_fabric']"]
    shown = world.on(world.first, "tc", "filter", "show", "dev", "eth0", "ingress")
    assert "pw_from_fabric direct-action" in shown
