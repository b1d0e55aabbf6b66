"""A blocking client of the standard library alone, for what must start fast: the CLI, the checkers, the DNS server.

Objects are parsed JSON; failures raise :class:`podwalk.api.errors.ApiError`, an unreachable server OSError.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import ssl
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from podwalk.api import added, meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.client.wire import PATCH_TYPES, keep_alive, resource_of, selector_params

Objects = list[Object]

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class SyncConfig:
    """Server URL and credentials: a token, or a client certificate and key (PEM)."""

    server: str
    ca_cert: bytes | None = None
    token: str | None = None
    client_cert: bytes | None = None
    client_key: bytes | None = None
    user_agent: str = "podwalk"

    @classmethod
    def in_cluster(cls, user_agent: str = "podwalk") -> SyncConfig:
        """The configuration that a Pod is given: its service account and KUBERNETES_SERVICE_HOST. Raises OSError."""
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        token = (_SERVICE_ACCOUNT / "token").read_text()
        ca = (_SERVICE_ACCOUNT / "ca.crt").read_bytes()
        return cls(f"https://{host}:{port}", ca, token, user_agent=user_agent)

    @classmethod
    def from_kubeconfig(cls, config: dict[str, Any], context: str | None = None) -> SyncConfig:
        """The configuration of a parsed kubeconfig's (current) context. Raises KeyError on a broken one."""
        named = {
            section: {entry["name"]: entry[section[:-1]] for entry in config.get(section) or ()}
            for section in ("contexts", "clusters", "users")
        }
        chosen = named["contexts"][context or config["current-context"]]
        cluster, user = named["clusters"][chosen["cluster"]], named["users"][chosen["user"]]
        return cls(
            cluster["server"],
            _pem(cluster, "certificate-authority"),
            user.get("token"),
            _pem(user, "client-certificate"),
            _pem(user, "client-key"),
        )


def _pem(entry: dict[str, str], field: str) -> bytes | None:
    if f"{field}-data" in entry:
        return base64.b64decode(entry[f"{field}-data"])
    return Path(entry[field]).read_bytes() if field in entry else None


class _Connection(http.client.HTTPSConnection):
    """Closes itself when it is forgotten, as it is with the thread that it belongs to."""

    def connect(self) -> None:
        """Connect, and notice later if the other end is gone."""
        super().connect()
        keep_alive(self.sock)

    def __del__(self) -> None:
        self.close()


class SyncClient:
    """A client with one connection a thread. Close it, or use it as a context manager."""

    def __init__(self, config: SyncConfig) -> None:
        self.config = config
        parts = urlsplit(config.server)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 443
        self._ssl = ssl.create_default_context(cadata=config.ca_cert.decode() if config.ca_cert else None)
        if config.client_cert and config.client_key:
            self._load_identity(config.client_cert, config.client_key)
        self._local = threading.local()

    def _load_identity(self, cert: bytes, key: bytes) -> None:
        # ssl can load a key only from a file; it is gone again before anybody else could want it.
        with tempfile.NamedTemporaryFile() as file:
            file.write(cert + b"\n" + key)
            file.flush()
            self._ssl.load_cert_chain(file.name)

    def __enter__(self) -> SyncClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _connect(self, timeout: float | None) -> http.client.HTTPSConnection:
        return _Connection(self._host, self._port, timeout=timeout, context=self._ssl)

    def _headers(self, content_type: str | None) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": self.config.user_agent}
        if self.config.token:
            headers["Authorization"] = f"Bearer {self.config.token}"
        if content_type:
            headers["Content-Type"] = content_type
        return headers

    def request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        timeout: float = 30,
    ) -> Any:
        """One request; parsed JSON, or text where the answer is not JSON. Raises ApiError or OSError."""
        target = path + ("?" + urlencode(params) if params else "")
        data = json.dumps(body).encode() if body is not None else None
        headers = self._headers(content_type if data is not None else None)
        for attempt in (1, 2):
            fresh = getattr(self._local, "connection", None) is None
            if fresh:
                self._local.connection = self._connect(timeout)
            connection: http.client.HTTPSConnection = self._local.connection
            if connection.sock is not None:
                connection.sock.settimeout(timeout)
            try:
                connection.request(method, target, body=data, headers=headers)
                response = connection.getresponse()
                raw = response.read()
                break
            except (http.client.HTTPException, ConnectionError) as error:
                self.close()
                # A kept-alive connection may have been closed by the server meanwhile: once more on a new one.
                if fresh or attempt == 2:
                    raise ConnectionError(f"{self.config.server}: {error}") from error
            except OSError:
                self.close()
                raise
        return _parse(raw, response.status, response.headers.get("Content-Type", ""))

    def get(self, kind: str | Resource, name: str, namespace: str | None = None) -> Object:
        """One object. Raises ApiError (NotFound)."""
        return dict(self.request("GET", resource_of(kind).path(namespace, name)))

    def find(self, kind: str | Resource, name: str, namespace: str | None = None) -> Object | None:
        """One object, or None where there is none."""
        try:
            return self.get(kind, name, namespace)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def list(
        self,
        kind: str | Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Objects:
        """The items (with apiVersion and kind filled in)."""
        return list(self.list_with_version(kind, namespace, label_selector, field_selector)[0])

    def list_with_version(
        self,
        kind: str | Resource,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> tuple[Objects, str]:
        """The items and the resourceVersion of the list, to watch from."""
        resource = resource_of(kind)
        params = selector_params(label_selector, field_selector)
        answer = self.request("GET", resource.path(namespace), params=params)
        items = answer.get("items") or []
        for item in items:
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
        return items, str(answer["metadata"].get("resourceVersion", ""))

    def create(self, obj: Object, namespace: str | None = None) -> Object:
        """Create an object."""
        path = added.of(obj).path(namespace or meta.namespace(obj) or None)
        return dict(self.request("POST", path, body=obj))

    def update(self, obj: Object, *, subresource: str | None = None) -> Object:
        """Replace an object or its subresource."""
        path = added.of(obj).path(meta.namespace(obj) or None, meta.name(obj), subresource)
        return dict(self.request("PUT", path, body=obj))

    def apply(self, obj: Object, *, field_manager: str, force: bool = True) -> Object:
        """Server-side apply."""
        path = added.of(obj).path(meta.namespace(obj) or None, meta.name(obj))
        params = {"fieldManager": field_manager, "force": "true" if force else "false"}
        return dict(self.request("PATCH", path, params=params, body=obj, content_type=PATCH_TYPES["apply"]))

    def patch(
        self,
        kind: str | Resource,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        type: str = "merge",
        subresource: str | None = None,
    ) -> Object:
        """Patch an object: type json, merge, strategic."""
        path = resource_of(kind).path(namespace, name, subresource)
        return dict(self.request("PATCH", path, body=patch, content_type=PATCH_TYPES[type]))

    def delete(
        self,
        kind: str | Resource,
        name: str,
        namespace: str | None = None,
        *,
        grace_period: int | None = None,
        propagation: str | None = None,
    ) -> Object:
        """Delete an object. Raises ApiError (NotFound)."""
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if grace_period is not None:
            options["gracePeriodSeconds"] = grace_period
        if propagation:
            options["propagationPolicy"] = propagation
        return dict(self.request("DELETE", resource_of(kind).path(namespace, name), body=options))

    def watch(
        self,
        kind: str | Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str | None = None,
        field_selector: str | None = None,
        timeout: float | None = None,
    ) -> Iterator[tuple[str, Object]]:
        """Yield (type, object) on a connection of its own until the server ends it.

        ``timeout`` is the longest silence in seconds (then TimeoutError). Raises ApiError (410) and OSError.
        """
        params = selector_params(label_selector, field_selector)
        params.update(watch="true", resourceVersion=resource_version, allowWatchBookmarks="true")
        connection = self._connect(timeout)
        with contextlib.closing(connection):
            path = f"{resource_of(kind).path(namespace)}?{urlencode(params)}"
            connection.request("GET", path, headers=self._headers(None))
            response = connection.getresponse()
            if response.status != 200:
                _parse(response.read(), response.status, response.headers.get("Content-Type", ""))
            while line := response.readline():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiError.from_status(event["object"], 410)
                yield event["type"], event["object"]


def _parse(raw: bytes, status: int, content_type: str) -> Any:
    answer: Any = None
    if "json" in content_type:
        try:
            answer = json.loads(raw)
        except ValueError:
            answer = None
    if status >= 300:
        if isinstance(answer, dict):
            raise ApiError.from_status(answer, status)
        raise ApiError(status, "Unknown", raw[:200].decode(errors="replace") or f"HTTP {status}")
    return answer if answer is not None else raw.decode(errors="replace")
