"""What the DNS server knows of the cluster: Services, EndpointSlices and Namespaces, kept true by watches.

Two threads write nothing but whole dictionary entries, the server's loop only reads: no lock is needed.
Stands in for plugin/kubernetes/controller.go of CoreDNS.
"""

from __future__ import annotations

import http.client
import logging
import threading
import time
from collections.abc import Callable, Iterable

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.client.sync import SyncClient, SyncConfig

log = logging.getLogger("plugin/kubernetes")

_SERVICE_NAME = "kubernetes.io/service-name"
_FIRST_RETRY = 0.05
_LAST_RETRY = 2.0
# Longer than the API server's bookmarks are apart: a silent watch is a dead one.
_SILENCE_SECONDS = 180.0


class Store:
    """The caches. ``start`` begins to fill them; ``synced`` is true when each has had its first list."""

    def __init__(self, config: Callable[[], SyncConfig] = SyncConfig.in_cluster) -> None:
        self._config = config
        self._services: dict[str, Object] = {}
        self._slices: dict[str, dict[str, Object]] = {}
        self._namespaces: dict[str, Object] = {}
        # namespace/name -> (namespace, IP); Pods are watched only where the Corefile says `pods verified`.
        self._pods: dict[str, tuple[str, str]] = {}
        self._with_pods = False
        self._pending = {"Service", "EndpointSlice", "Namespace"}
        self._started = False
        self._stopped = threading.Event()
        self._serial = int(time.time())

    @property
    def synced(self) -> bool:
        """Whether everything has been listed once."""
        return not self._pending

    @property
    def serial(self) -> int:
        """When a Service or an endpoint last changed, in Unix seconds."""
        return self._serial

    def service(self, namespace: str, name: str) -> Object | None:
        """A Service."""
        return self._services.get(f"{namespace}/{name}")

    def services(self) -> Iterable[Object]:
        """Every Service."""
        return list(self._services.values())

    def slices(self, namespace: str, service: str) -> Iterable[Object]:
        """The EndpointSlices of a Service, by name."""
        return [s for _, s in sorted(self._slices.get(f"{namespace}/{service}", {}).items())]

    def has_namespace(self, name: str) -> bool:
        """Whether the namespace exists."""
        return name in self._namespaces

    def has_pod(self, namespace: str, ip: str) -> bool:
        """Whether a Pod of the namespace has this address."""
        return (namespace, ip) in list(self._pods.values())

    def put(self, kind: str, obj: Object) -> None:
        """Take in an added or changed object."""
        if kind == "Pod":
            ip = str((obj.get("status") or {}).get("podIP") or "")
            self._pods[meta.key(obj)] = (meta.namespace(obj), ip)
            return
        if kind == "Service":
            self._services[meta.key(obj)] = obj
        elif kind == "Namespace":
            self._namespaces[meta.name(obj)] = obj
        elif owner := meta.labels(obj).get(_SERVICE_NAME):
            key = f"{meta.namespace(obj)}/{owner}"
            self._slices[key] = {**self._slices.get(key, {}), meta.name(obj): obj}
        self._serial = int(time.time())

    def remove(self, kind: str, obj: Object) -> None:
        """Forget an object."""
        if kind == "Pod":
            self._pods.pop(meta.key(obj), None)
            return
        if kind == "Service":
            self._services.pop(meta.key(obj), None)
        elif kind == "Namespace":
            self._namespaces.pop(meta.name(obj), None)
        elif owner := meta.labels(obj).get(_SERVICE_NAME):
            key = f"{meta.namespace(obj)}/{owner}"
            self._slices[key] = {n: s for n, s in self._slices.get(key, {}).items() if n != meta.name(obj)}
        self._serial = int(time.time())

    def start(self) -> None:
        """Start a watch thread for each kind; a second call does nothing."""
        if not self._started:
            self._started = True
            for kind in sorted(self._pending):
                self._watch_in_a_thread(kind)

    def watch_pods(self) -> None:
        """Let Pods be known, too; a second call does nothing."""
        if self._with_pods:
            return
        self._with_pods = True
        if self._started:
            self._watch_in_a_thread("Pod")
        else:
            self._pending.add("Pod")

    def _watch_in_a_thread(self, kind: str) -> None:
        threading.Thread(target=self._follow, args=(kind,), name=f"watch {kind}", daemon=True).start()

    def stop(self) -> None:
        """Let each thread end when its present wait for news does."""
        self._stopped.set()

    def _follow(self, kind: str) -> None:
        retry, said = _FIRST_RETRY, ""
        while not self._stopped.is_set():
            try:
                # Read anew each time: the token may have been replaced.
                with SyncClient(self._config()) as client:
                    version = self._list(client, kind)
                    retry, said = _FIRST_RETRY, ""
                    while not self._stopped.is_set():
                        version = self._watch(client, kind, version)
            except (ApiError, OSError, KeyError, http.client.HTTPException, ValueError) as error:
                if str(error) != said and not (isinstance(error, ApiError) and error.code == 410):
                    said = str(error)
                    log.warning("Failed to watch %s: %s", kind, said)
            self._stopped.wait(retry)
            retry = min(retry * 2, _LAST_RETRY)

    def _list(self, client: SyncClient, kind: str) -> str:
        items, version = client.list_with_version(kind)
        fresh = {meta.key(obj) for obj in items}
        for old in self._known(kind):
            if meta.key(old) not in fresh:
                self.remove(kind, old)
        for obj in items:
            self.put(kind, obj)
        self._pending.discard(kind)
        return version

    def _known(self, kind: str) -> list[Object]:
        if kind == "Service":
            return list(self._services.values())
        if kind == "Namespace":
            return list(self._namespaces.values())
        if kind == "Pod":
            keys = [key.split("/", 1) for key in list(self._pods)]
            return [{"metadata": {"namespace": namespace, "name": name}} for namespace, name in keys]
        return [s for group in list(self._slices.values()) for s in group.values()]

    def _watch(self, client: SyncClient, kind: str, version: str) -> str:
        for event, obj in client.watch(kind, resource_version=version, timeout=_SILENCE_SECONDS):
            version = str(obj["metadata"]["resourceVersion"])
            if event == "DELETED":
                self.remove(kind, obj)
            elif event != "BOOKMARK":
                self.put(kind, obj)
        return version
