"""What all Pods of a node share: clients, caches, the image catalogue, the CNI configuration."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.client.events import EventRecorder
from podwalk.client.informer import Informer
from podwalk.client.rest import Client
from podwalk.kubelet import resolv
from podwalk.kubelet.images import Catalogue
from podwalk.netns.reaper import Reaper

log = logging.getLogger(__name__)

CNI_DIRECTORY = Path("/etc/cni/net.d")
STATE_DIRECTORY = Path("/var/lib/kubelet/pods")
LOG_DIRECTORY = Path("/var/log/pods")
# The oldest tokens are forgotten beyond this number; whoever still needs one gets another.
_TOKENS = 1000


class SourceCache:
    """The ConfigMaps and Secrets that Pods name: read fresh for a start, watched for changes."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def fetch(
        self, namespace: str, references: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], Object | None]:
        """Each (kind, name) with its object, or None where it does not exist. Raises ApiError for other failures."""
        wanted = sorted(set(references))
        found = await asyncio.gather(*(self._get(kind, namespace, name) for kind, name in wanted))
        return dict(zip(wanted, found, strict=True))

    async def _get(self, kind: str, namespace: str, name: str) -> Object | None:
        try:
            return {**await self._client.get(kind, name, namespace), "kind": kind}
        except ApiError as error:
            if error.reason == "NotFound":
                return None
            raise


class TokenCache:
    """Service-account tokens, one for each Pod and audience, renewed at 80 % of their life.

    Never one for two Pods (pkg/kubelet/token): the account that the earlier one was for may have been made anew since,
    as it is with its namespace, and the token of the old one is worth nothing.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._tokens: OrderedDict[tuple[str, str, str], tuple[str, float]] = OrderedDict()

    async def token(self, pod: Object, account: str, audience: str, seconds: int) -> str:
        """A token that is still good. Raises ApiError."""
        namespace = meta.namespace(pod)
        key = (meta.uid(pod), account, audience)
        now = datetime.now(UTC).timestamp()
        known = self._tokens.get(key)
        if known is not None and known[1] > now:
            return known[0]
        spec: Object = {"expirationSeconds": seconds}
        if audience:
            spec["audiences"] = [audience]
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = await self._client.post("ServiceAccount", account, "token", request, namespace)
        status = answer["status"]
        expires = now + seconds
        if status.get("expirationTimestamp"):
            expires = meta.parse_time(status["expirationTimestamp"]).timestamp()
        self._tokens[key] = (str(status["token"]), now + 0.8 * (expires - now))
        while len(self._tokens) > _TOKENS:
            self._tokens.popitem(last=False)
        return str(status["token"])


@dataclass(slots=True)
class NodeContext:
    """The node, as its Pods see it."""

    node_name: str
    node_ip: str
    client: Client
    reaper: Reaper
    recorder: EventRecorder
    images: Catalogue
    services: Informer
    sources: SourceCache
    tokens: TokenCache
    cluster_dns: str
    cluster_domain: str
    allocatable: dict[str, str]
    network: asyncio.Event = field(default_factory=asyncio.Event)
    # Awaited with a Pod and its address between its network and its containers: the place of a chained CNI plugin.
    network_made: Callable[[Object, str], Awaitable[None]] | None = None
    cni_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def event(self, pod: Object, kind: str, reason: str, message: str, field_path: str = "") -> None:
        """Record an Event about a Pod, or about one container of it."""
        about: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": pod["metadata"]}
        if field_path:
            about["fieldPath"] = field_path
        self.recorder.event(about, kind, reason, message)

    def node_resolv_conf(self) -> resolv.ResolvConf:
        """The node's resolver configuration."""
        try:
            return resolv.parse(Path("/etc/resolv.conf").read_text())
        except OSError:
            return resolv.ResolvConf()

    def node_hosts(self) -> bytes:
        """The node's /etc/hosts."""
        try:
            return Path("/etc/hosts").read_bytes()
        except OSError:
            return b"127.0.0.1\tlocalhost\n"


def cni_configuration() -> dict[str, Any] | None:
    """The first network list of /etc/cni/net.d, as a runtime chooses it, or None."""
    try:
        files = sorted(p for p in CNI_DIRECTORY.iterdir() if p.suffix in (".conflist", ".conf", ".json"))
    except OSError:
        return None
    for file in files:
        try:
            found = json.loads(file.read_text())
        except (OSError, ValueError) as error:
            log.warning("%s: %s", file, error)
            continue
        if isinstance(found, dict) and found.get("plugins"):
            return found
        if isinstance(found, dict) and found.get("type"):
            version = found.get("cniVersion", "1.0.0")
            return {"name": found.get("name", "default"), "cniVersion": version, "plugins": [found]}
    return None


# What a call to the API server may raise when it is away or says no.
API_ERRORS = (TimeoutError, ApiError, aiohttp.ClientError, OSError)
