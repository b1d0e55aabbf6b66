"""What the framework of Kubernetes' end-to-end tests gives a spec: a namespace, Pods to ask from, and patience.

Upstream: test/e2e/framework, test/e2e/framework/pod, test/e2e/framework/service/jig.go of kubernetes/kubernetes.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from kubernetes import client, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

from podwalk.backends.base import Cluster, Completed

AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.63.0"
DNSUTILS = "registry.k8s.io/e2e-test-images/jessie-dnsutils:1.7"
NGINX = "registry.k8s.io/e2e-test-images/nginx:1.14-4"
PAUSE = "registry.k8s.io/pause:3.10.2"
HOST_NAME = "kubernetes.io/hostname"
SERVICE_NAME = "kubernetes.io/service-name"
PATIENCE = 40.0

Body = dict[str, Any]
T = TypeVar("T")


def eventually(ask: Callable[[], T], holds: Callable[[T], Any] = bool, what: str = "", within: float = PATIENCE) -> T:
    """Ask until an answer holds, and return it; AssertionError with the last answer."""
    deadline = time.monotonic() + within
    while not holds(answer := ask()):
        assert time.monotonic() < deadline, f"{what or 'not true'} within {within:g} s, last: {answer!r}"
        time.sleep(0.02)
    return answer


def condition(obj: Any, kind: str) -> str:
    """The status of a condition of a Pod, a Node or any other object; empty without it."""
    return next((c.status for c in obj.status.conditions or [] if c.type == kind), "")


def code_of(call: Callable[..., Any], *args: Any, **kwargs: Any) -> int:
    """The HTTP status that a call fails with; 200 where it works."""
    try:
        call(*args, **kwargs)
    except ApiException as error:
        return int(error.status)
    return 200


def container(name: str, *args: str, image: str = AGNHOST, **more: Any) -> Body:
    """A container with arguments for its image's entrypoint."""
    return {"name": name, "image": image, **({"args": list(args)} if args else {}), **more}


def agnhost_pod(name: str, *args: str, labels: dict[str, str] | None = None, ports: Any = None, **spec: Any) -> Body:
    """The Pod that most specs make: one agnhost container that ends at once."""
    only = container("agnhost-container", *args, **({"ports": ports} if ports else {}))
    return pod_of(name, only, labels=labels, **spec)


def pod_of(name: str, *containers: Body, labels: dict[str, str] | None = None, **spec: Any) -> Body:
    """A Pod of some containers."""
    body = {"containers": list(containers), "terminationGracePeriodSeconds": 0, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels or {}}, "spec": body}


def service_of(name: str, *ports: Body, selector: dict[str, str] | None = None, **spec: Any) -> Body:
    """A Service; ports are {"port": 80, ...}."""
    body: Body = {"ports": list(ports), **({"selector": selector} if selector else {}), **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": body}


@dataclass
class Apis:
    """The official client's groups, over one connection pool."""

    api: client.ApiClient

    def __post_init__(self) -> None:
        self.core = client.CoreV1Api(self.api)
        self.apps = client.AppsV1Api(self.api)
        self.discovery = client.DiscoveryV1Api(self.api)
        self.networking = client.NetworkingV1Api(self.api)
        self.rbac = client.RbacAuthorizationV1Api(self.api)
        self.authorization = client.AuthorizationV1Api(self.api)

    def request(self, method: str, path: str, body: Any = None, media_type: str = "application/json") -> Any:
        """The JSON document that a request gives, as it came. Raises ApiException."""
        headers = {"Content-Type": media_type, "Accept": "application/json"}
        self.api.update_params_for_auth(headers, [], ["BearerToken"], "", method, body)
        url = self.api.configuration.host + path
        answer = self.api.rest_client.request(method, url, headers=headers, body=body)
        answer.read()
        if not 200 <= answer.status < 300:
            raise ApiException(http_resp=answer)
        return json.loads(answer.data)

    def schedulable_nodes(self) -> list[Any]:
        """The Nodes on which a Pod without tolerations can run."""
        found = self.core.list_node().items
        usable = [n for n in found if condition(n, "Ready") == "True" and not n.spec.unschedulable]
        return [n for n in usable if not any(t.effect != "PreferNoSchedule" for t in n.spec.taints or [])]


def addresses(node: Any, kind: str = "InternalIP") -> list[str]:
    """A Node's addresses of one type."""
    return [a.address for a in node.status.addresses if a.type == kind]


class Namespace(Apis):
    """A namespace of its own for a spec, with the framework's helpers."""

    def __init__(self, api: client.ApiClient, cluster: Cluster, base: str) -> None:
        super().__init__(api)
        self.cluster = cluster
        self.name = f"{base}-{uuid.uuid4().hex[:6]}"
        labels = {"e2e-framework": base, "e2e-run": uuid.uuid4().hex, "pod-security.kubernetes.io/enforce": "baseline"}
        self.core.create_namespace({"metadata": {"name": self.name, "labels": labels}})
        # The framework waits for these two before every spec.
        for read, name in (
            (self.core.read_namespaced_service_account, "default"),
            (self.core.read_namespaced_config_map, "kube-root-ca.crt"),
        ):
            eventually(lambda read=read, name=name: code_of(read, name, self.name), lambda code: code == 200, name)

    def delete(self) -> None:
        """Delete the namespace, as the framework does: without waiting for its end."""
        self.core.delete_namespace(self.name)

    def pod(self, body: Body, *, ready: bool = True) -> Any:
        """Create a Pod; wait until it is Ready."""
        made = self.core.create_namespaced_pod(self.name, body)
        return self.ready(made.metadata.name) if ready else made

    def ready(self, name: str) -> Any:
        """A Pod, once it is Ready."""
        return eventually(
            lambda: self.core.read_namespaced_pod(name, self.name), lambda p: condition(p, "Ready") == "True", name
        )

    def running(self, name: str) -> Any:
        """A Pod, once it is Running."""
        return eventually(
            lambda: self.core.read_namespaced_pod(name, self.name), lambda p: p.status.phase == "Running", name
        )

    def exec_pod(self, name: str = "execpod", **spec: Any) -> Any:
        """A Pod to ask from."""
        return self.pod(agnhost_pod(name, "pause", **spec))

    def service(self, body: Body) -> Any:
        """Create a Service."""
        return self.core.create_namespaced_service(self.name, body)

    def update_service(self, name: str, change: Callable[[Any], None]) -> Any:
        """Read a Service, change it, and write it back whole."""
        service = self.core.read_namespaced_service(name, self.name)
        change(service)
        return self.core.replace_namespaced_service(name, self.name, service)

    def host_command(self, pod: str, command: str) -> Completed:
        """A shell command in a Pod, by kubectl, as upstream's RunHostCmd."""
        return self.cluster.kubectl("exec", f"--namespace={self.name}", pod, "--", "/bin/sh", "-x", "-c", command)

    def exec(self, pod: str, *command: str, container: str = "") -> Completed:
        """A command in a container, by the official client's WebSocket."""
        more = {"container": container} if container else {}
        connection = stream(
            self.core.connect_get_namespaced_pod_exec,
            pod,
            self.name,
            command=list(command),
            stdout=True,
            stderr=True,
            stdin=False,
            tty=False,
            _preload_content=False,
            **more,
        )
        try:
            connection.run_forever(timeout=30)
            return Completed(connection.returncode, connection.read_stdout(), connection.read_stderr())
        finally:
            # Its close() leaves the socket open once the server has said that it closes.
            connection.sock.shutdown()

    def slices(self, service: str) -> list[Any]:
        """The EndpointSlices of a Service."""
        return self.discovery.list_namespaced_endpoint_slice(
            self.name, label_selector=f"{SERVICE_NAME}={service}"
        ).items

    def endpoints(self, name: str) -> Any:
        """The Endpoints of a name, or None."""
        try:
            return self.core.read_namespaced_endpoints(name, self.name)
        except ApiException as error:
            if error.status != 404:
                raise
            return None

    def expect_endpoints(self, service: str, expected: dict[str, list[int]]) -> None:
        """Wait until Endpoints and EndpointSlices both name these ports of these Pods, and nothing else."""
        want = {name: sorted(ports) for name, ports in expected.items()}
        eventually(lambda: self._by_endpoints(service), lambda found: found == want, f"Endpoints are {want}")
        eventually(lambda: self._by_slices(service), lambda found: found == want, f"EndpointSlices are {want}")

    def _by_endpoints(self, service: str) -> dict[str, list[int]] | None:
        found = self.endpoints(service)
        if found is None:
            return None
        out: dict[str, list[int]] = {}
        for subset in found.subsets or []:
            for address in subset.addresses or []:
                out.setdefault(address.target_ref.name, []).extend(p.port for p in subset.ports or [])
        return {name: sorted(ports) for name, ports in out.items()}

    def _by_slices(self, service: str) -> dict[str, list[int]]:
        out: dict[str, list[int]] = {}
        for found in self.slices(service):
            for endpoint in found.endpoints or []:
                if endpoint.conditions.ready:
                    out.setdefault(endpoint.target_ref.name, []).extend(p.port for p in found.ports or [])
        return {name: sorted(ports) for name, ports in out.items()}

    def replicas(self, name: str, count: int, *command: str, labels: dict[str, str] | None = None) -> list[str]:
        """A ReplicationController of agnhost Pods that are all Ready: their names."""
        labels = {"name": name, **(labels or {})}
        only = {"name": name, "image": AGNHOST, "command": list(command)}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [only], "terminationGracePeriodSeconds": 0}}
        body = {"metadata": {"name": name}, "spec": {"replicas": count, "selector": labels, "template": template}}
        self.core.create_namespaced_replication_controller(self.name, body)
        selector = ",".join(f"{k}={v}" for k, v in labels.items())
        pods = eventually(
            lambda: self.core.list_namespaced_pod(self.name, label_selector=selector).items,
            lambda found: len(found) == count and all(condition(p, "Ready") == "True" for p in found),
            f"{count} Pods of {name}",
        )
        return sorted(p.metadata.name for p in pods)

    def reaches(self, pod: str, host: str, port: int, protocol: str = "TCP") -> str:
        """What a server answers to the line "hostName", as upstream's service jig asks; empty where none answers."""
        flag = {"TCP": "-t", "UDP": "-u"}[protocol]
        return self.host_command(pod, f"echo hostName | nc -v {flag} -w 2 {host} {port}").stdout.strip()

    def expect_reachable(self, service: Any, pod: str) -> None:
        """A Service is reachable by its name, by its ClusterIP, and by its node ports on two Nodes."""
        if service.spec.type == "ExternalName":
            name = f"{service.metadata.name}.{self.name}.svc.cluster.local"
            eventually(lambda: self.host_command(pod, f"nslookup {name}"), lambda done: done.ok, name)
            return
        eventually(lambda: self._by_slices(service.metadata.name), what=f"{service.metadata.name} has endpoints")
        for port in service.spec.ports:
            places = [(service.metadata.name, port.port), (service.spec.cluster_ip, port.port)]
            if service.spec.type == "NodePort":
                places += [(a, port.node_port) for n in self.schedulable_nodes()[:2] for a in addresses(n)]
            for host, number in places:
                eventually(
                    lambda host=host, number=number, port=port: self.reaches(pod, host, number, port.protocol),
                    what=f"{host}:{number}/{port.protocol} answers",
                )

    def expect_host_name(self, pod: str, target: str, expected: str) -> None:
        """http://TARGET/hostname is answered by one Pod (a Service's rules may be a moment late)."""
        command = f"curl -q -s --connect-timeout 30 {target}/hostname"
        eventually(lambda: self.host_command(pod, command).stdout, lambda answer: answer.strip() == expected, target)


@contextmanager
def watching(method: Callable[..., Any], *args: Any, **kwargs: Any) -> Iterator[Iterator[Body]]:
    """The events of a watch, as {"type", "object"} of plain JSON; the stream is closed at the end."""
    watcher = watch.Watch()
    events = watcher.stream(method, *args, timeout_seconds=30, **kwargs)
    try:
        yield events
    finally:
        watcher.stop()
        events.close()


def await_event(events: Iterator[Body], kind: str, holds: Callable[[Any], Any] = bool) -> Any:
    """The object of the next event of a kind for which something holds."""
    for event in events:
        if event["type"] == kind and holds(event["raw_object"]):
            return event["raw_object"]
    raise AssertionError(f"the watch ended without such an event {kind}")
