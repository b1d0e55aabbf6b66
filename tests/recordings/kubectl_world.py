"""The state that the recorded kubectl texts presuppose, and a server for it.

The texts come from one cluster: the namespace ``demo`` with one of everything, as the recorded lists show it, and the
namespace ``err``, in which commands changed things in an order that is not recorded. What a text needs there beyond the
common state stands in ``BEFORE``.
"""

from __future__ import annotations

import asyncio
import base64
import re
import shlex
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml
from recording_world import Harvest, World

from podwalk.api import meta
from podwalk.apiserver import server
from podwalk.apiserver.server import ApiServerConfig, UserInfo
from podwalk.apiserver.store import Store
from podwalk.cluster import pki

Object = dict[str, Any]
TOKENS = {
    "admintoken": UserInfo("admin", ("system:masters", "system:authenticated"), "admin"),
    "plaintoken": UserInfo("jane", ("system:authenticated",)),
}

KC = """
apiVersion: v1
kind: Service
metadata: {name: kc, namespace: err}
spec:
  ports: [{port: %d}]
"""
DIFFERENT = KC.replace("err}", "err, labels: {c: d}}") % 80
BEFORE: dict[str, list[tuple[str, str]]] = {
    # name of the text -> (kubectl's arguments, its standard input)
    "apply-dryrun-server": [("apply -f -", DIFFERENT)],
    "apply-serverside": [("-n err delete svc kc", ""), ("create -f -", KC % 8080)],
    "err-label-overwrite": [("-n err label svc kc a=b", "")],
    "label-remove": [("-n err label svc kc a=b", "")],
    "patch-nochange": [("-n err annotate svc kc x=y", "")],
    "err-taint-again": [("taint node node-a k=v:NoSchedule", "")],
    "untaint": [("taint node node-a k=v:NoSchedule", "")],
    "uncordon": [("cordon node-b", "")],
    "err-run-dup": [("-n err run p --image=nginx", "")],
}


@dataclass(frozen=True)
class Text:
    """A recorded command and what it said."""

    name: str
    argv: list[str]
    stdin: str
    code: int
    out: str
    err: str

    @property
    def token(self) -> str:
        """Who ran it."""
        return "plaintoken" if 'User "jane"' in self.err else "admintoken"


def read_text(file: Path) -> Text:
    """One file: ``$ command``, then standard input (if any), exit code, standard output, standard error."""
    command, _, rest = file.read_text(encoding="utf-8").partition("\n")
    stdin = ""
    if rest.startswith("--- stdin\n"):
        stdin, _, rest = rest.removeprefix("--- stdin\n").partition("\n--- rc=")
        rest = "--- rc=" + rest
    head, _, rest = rest.partition("\n--- stdout\n")
    out, _, err = rest.rpartition("--- stderr")
    return Text(
        file.stem, shlex.split(command.removeprefix("$ "))[1:], stdin, int(head.removeprefix("--- rc=")), out, err
    )


def fill(store: Store, harvest: Harvest) -> None:
    """Put everything that the texts may speak of into a store."""
    world = World(harvest)
    for (_, namespace, name), versions in harvest.seen.items():
        newest = max(versions, key=meta.resource_version)
        if namespace == "err" or name == "term":
            continue
        world._put(store, newest)
    made = (*_deployment(harvest, "web", "demo", 1), *_deployment(harvest, "kd", "err", 2), _kubernetes())
    for obj in (*made, _registered("node-a"), _registered("node-b")):
        world._put(store, obj)


def _registered(node: str) -> Object:
    """The Event that every node has, which stands in no recorded list."""
    return {
        "kind": "Event", "apiVersion": "v1",
        "metadata": {"name": f"{node}.1", "namespace": "default", "creationTimestamp": meta.now()},
        "involvedObject": {"kind": "Node", "name": node, "uid": node},
        "reason": "RegisteredNode", "message": f"Node {node} event: Registered Node {node} in Controller",
        "type": "Normal", "source": {"component": "node-controller"}, "count": 1,
        "firstTimestamp": meta.now(), "lastTimestamp": meta.now(),
    }  # fmt: skip


def _deployment(harvest: Harvest, name: str, namespace: str, revisions: int) -> list[Object]:
    """A Deployment that no list shows, made from the ReplicaSet that it made; and its ReplicaSets in ``err``."""
    for (resource, _, found), versions in harvest.seen.items():
        if resource.kind == "ReplicaSet" and found.startswith("web-"):
            replica_set = versions[-1]
            break
    else:
        return []
    made = orjson.loads(orjson.dumps(replica_set))
    uid = made["metadata"]["ownerReferences"][0]["uid"] if namespace == "demo" else meta.new_uid()
    template = made["spec"]["template"]
    template["metadata"]["labels"].pop("pod-template-hash", None)
    created = made["metadata"]["creationTimestamp"]
    count = made["spec"]["replicas"]
    deployment = {
        "kind": "Deployment", "apiVersion": "apps/v1",
        "metadata": {"name": name, "namespace": namespace, "uid": uid, "generation": 1, "creationTimestamp": created,
                     "labels": {"app": name}, "annotations": {"deployment.kubernetes.io/revision": str(revisions)}},
        "spec": {"replicas": count, "selector": {"matchLabels": {"app": "web"}}, "template": template,
                 "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
                 "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600},
    }  # fmt: skip
    if namespace == "demo":
        numbers = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        conditions = [("Available", "MinimumReplicasAvailable"), ("Progressing", "NewReplicaSetAvailable")]
        deployment["status"] = {
            "observedGeneration": 1, **dict.fromkeys(numbers, count),
            "conditions": [{"type": kind, "status": "True", "reason": why, "message": "", "lastUpdateTime": created,
                            "lastTransitionTime": created} for kind, why in conditions],
        }  # fmt: skip
        return [deployment]
    deployment["status"] = {}
    return [deployment, *(_revision(replica_set, deployment, n + 1) for n in range(revisions))]


def _revision(replica_set: Object, deployment: Object, number: int) -> Object:
    made: Object = orjson.loads(orjson.dumps(replica_set))
    owner = {**made["metadata"]["ownerReferences"][0], "name": "kd", "uid": deployment["metadata"]["uid"]}
    made["metadata"] |= {
        "name": f"kd-{number}", "namespace": "err", "uid": meta.new_uid(), "ownerReferences": [owner],
        "annotations": {"deployment.kubernetes.io/revision": str(number)},
    }  # fmt: skip
    made["spec"]["template"]["spec"]["containers"][0]["image"] = f"nginx:{number}"
    return made


def _kubernetes() -> Object:
    spec = {"clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"], "type": "ClusterIP", "sessionAffinity": "None",
            "ports": [{"name": "https", "port": 443, "targetPort": 6443, "protocol": "TCP"}],
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster"}  # fmt: skip
    metadata = {"name": "kubernetes", "namespace": "default", "uid": meta.new_uid(), "creationTimestamp": meta.now()}
    return {"kind": "Service", "apiVersion": "v1", "metadata": metadata, "spec": spec, "status": {"loadBalancer": {}}}


class TextServer:
    """An API server over a store, in a thread, as kubectl reaches it."""

    certificates = None

    def __init__(self, store: Store, folder: Path) -> None:
        made = TextServer.certificates = TextServer.certificates or pki.make(["localhost"], ["127.0.0.1"])
        self.store, self.ca = store, made.ca_cert
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.config = ApiServerConfig(
            tls_cert=made.server_cert, tls_key=made.server_key, ca_cert=made.ca_cert, kubelet_token="kubelet",
            service_account_key=made.service_account_key, tokens=TOKENS, sockets=[self._socket],
        )  # fmt: skip
        self.folder = folder
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="API server")

    def kubeconfig(self, token: str) -> Path:
        """A kubeconfig of one of the users."""
        port = self._socket.getsockname()[1]
        ca = base64.b64encode(self.ca).decode()
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": ca}
        document = {
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "c", "user": {"token": token}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        }  # fmt: skip
        file = self.folder / f"{token}.yaml"
        file.write_text(yaml.safe_dump(document))
        return file

    def _run(self) -> None:
        self._task = self._loop.create_task(server.serve(self.config, on_ready=self._ready.set, store=self.store))
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        finally:
            self._loop.close()

    def __enter__(self) -> TextServer:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._task is not None
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(20)


_AGE = r"(?:\d+y)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?"
_MASKS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uid>"),
    (re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} \+0000"), "<time>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ][\d:]{8}(Z| \+0000 UTC)"), "<time>"),
    (re.compile(rf"(?<=[\s(])(?=\d){_AGE}(?=$|\s| ago|\))", re.MULTILINE), "<age>"),
    (re.compile(r"<invalid>"), "<age>"),  # of a time to come
    (re.compile(r"#(success|failure)="), r"\1Threshold="),  # kubectl 1.37 writes the word
    (re.compile(r"127\.0\.0\.1:\d+"), "<server>"),
    (re.compile(r'("?resourceVersion"?: )"\d+"'), r"\1<version>"),
    (re.compile(r"[ \t]{2,}"), "  "),  # the width of a column follows its ages
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
)  # fmt: skip


def masked(text: str) -> str:
    """A text without what differs from run to run."""
    for pattern, name in _MASKS:
        text = pattern.sub(name, text)
    return text.strip()
