"""No input yields a 500 or a hang.

What is tried comes from the served OpenAPI document: its paths, its methods, its schemas. Hypothesis gives the seeds, a
failure names its own, and with it everything that was sent. Runs are the same each time; ``make fuzz`` takes other
seeds for PODWALK_FUZZ_EXAMPLES examples of each test.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any
from urllib.parse import quote

import bad_input
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from robust_server import Sender, Served

EXAMPLES = int(os.environ.get("PODWALK_FUZZ_EXAMPLES", "0"))
UPSTREAMS = (
    b"does not contain declared merge key",
    b"resourceVersion should not be set on objects to be created",
    b'"message":"strconv.ParseUint: parsing ',
)
"""What Kubernetes itself answers bad input with under the status 500."""

PROFILE = settings(
    max_examples=EXAMPLES or 150,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
SEEDS = st.integers(0, 2**63)


class Surface:
    """What the server says it serves."""

    def __init__(self, send: Sender) -> None:
        self.schemas: dict[str, Any] = {}
        self.operations: list[tuple[str, str, str, tuple[str, str, str]]] = []
        """(path, method, action, (group, version, kind))"""
        for path in orjson.loads(send("GET", "/openapi/v3")[1])["paths"]:
            document = orjson.loads(send("GET", f"/openapi/v3/{path}")[1])
            self.schemas |= document["components"]["schemas"]
            for url, methods in document["paths"].items():
                for method, operation in methods.items():
                    if method == "parameters":
                        continue
                    gvk = operation.get("x-kubernetes-group-version-kind") or {}
                    told = (gvk.get("group", ""), gvk.get("version", ""), gvk.get("kind", ""))
                    self.operations.append((url, method.upper(), operation.get("x-kubernetes-action", ""), told))
        self.documents = bad_input.Documents(self.schemas)
        self.collections = [o for o in self.operations if o[2] == "post" and "{name}" not in o[0] and "{" in o[0]]
        assert len(self.operations) > 200


@pytest.fixture(scope="session")
def surface(served: Served) -> Surface:
    send = Sender(served.port)
    assert send("POST", "/api/v1/namespaces", {"metadata": {"name": "fuzz"}})[0] == 201
    return Surface(send)


def filled(random: Random, path: str) -> str:
    """A path with its parameters."""
    path = path.replace("{namespace}", "fuzz" if random.random() < 0.9 else quote(bad_input.text(random), ""))
    name = random.choice(bad_input.NAMES) if random.random() < 0.9 else quote(bad_input.text(random), "")
    return path.replace("{name}", name).replace("{path}", "x")


def answered(send: Sender, seed: int, method: str, path: str, body: Any, **how: Any) -> int:
    """Send, and hold the server to an answer that is none of its own faults."""
    told = f"seed {seed}: {method} {path} {how} {bad_input.shown(body) if body is not None else ''}"
    try:
        status, answer = send(method, path, body, **how)
    except TimeoutError:
        pytest.fail(f"no answer: {told}")
    assert status < 500 or _upstreams(status, answer), f"{status} {answer[:600]!r}: {told}"
    return status


def _upstreams(status: int, answer: bytes) -> bool:
    """Whether an error of the 5xx is the one that Kubernetes itself gives."""
    if status == 504:
        return b"Too large resource version" in answer
    return status == 500 and any(said in answer for said in UPSTREAMS)


@given(seed=SEEDS)
@PROFILE
def test_any_operation_with_any_document(served: Served, surface: Surface, seed: int) -> None:
    random = Random(seed)
    send = Sender(served.port)
    for _ in range(4):
        path, method, _, gvk = random.choice(surface.operations)
        if path.endswith(("/namespaces/{name}", "/namespaces")) and method == "DELETE":
            continue  # the namespace of all the others
        body = None
        if method in ("POST", "PUT", "PATCH"):
            body = surface.documents.of_kind(random, *gvk, spoil=random.choice((0.0, 0.01, 0.05, 0.2)))
        url = filled(random, path) + bad_input.query(random)
        content_type = "application/json" if method != "PATCH" else "application/strategic-merge-patch+json"
        answered(send, seed, method, url, body, content_type=content_type, accept=bad_input.accept(random))


@given(seed=SEEDS)
@PROFILE
def test_any_object_is_listed_and_watched_afterwards(served: Served, surface: Surface, seed: int) -> None:
    """What got in must come out again in each form."""
    random = Random(seed)
    send = Sender(served.port)
    path, _, _, gvk = random.choice(surface.collections)
    url = path.replace("{namespace}", "fuzz")
    for _ in range(3):
        body = surface.documents.of_kind(random, *gvk, spoil=random.choice((0.0, 0.01)))
        answered(send, seed, "POST", url, body)
    for accept in bad_input.ACCEPTS[:5]:
        answered(send, seed, "GET", url, None, accept=accept)
        answered(send, seed, "GET", f"{url}?watch=1&timeoutSeconds=1", None, accept=accept)


PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)


@given(seed=SEEDS)
@PROFILE
def test_any_patch_of_any_object(served: Served, surface: Surface, seed: int) -> None:
    random = Random(seed)
    send = Sender(served.port)
    stored = [(url, obj) for url, obj in objects(served) if obj["metadata"].get("namespace") == "fuzz"]
    if len(stored) < 30 or random.random() < 0.2:
        path, _, _, gvk = random.choice(surface.collections)
        body = surface.documents.of_kind(random, *gvk, spoil=0.0)
        answered(send, seed, "POST", path.replace("{namespace}", "fuzz"), body)
    if not stored:
        return
    for _ in range(4):
        url, obj = random.choice(stored)
        url += random.choice(("", "", "", "/status", "/scale", "/ephemeralcontainers"))
        kind = random.choice(PATCHES)
        if kind == PATCHES[0]:
            patch = bad_input.json_patch(random, obj)
        else:
            patch = bad_input.merge_patch(random, obj, strategic="strategic" in kind)
        if "apply" in kind and isinstance(patch, dict):
            patch |= {"kind": obj["kind"], "apiVersion": obj["apiVersion"]}
            if isinstance(patch.get("metadata"), dict):
                patch["metadata"].pop("managedFields", None)
            url += "?fieldManager=" + random.choice("abc") + random.choice(("", "&force=true"))
        answered(send, seed, "PATCH", url, patch, content_type=kind)


def objects(served: Served) -> list[tuple[str, Any]]:
    """Everything that is stored, with its URL."""
    found = []
    for resource, stored in list(served.store.in_namespace("fuzz")):
        prefix = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.api_version}"
        found.append(
            (f"{prefix}/namespaces/fuzz/{resource.plural}/{quote(stored.obj['metadata']['name'], '')}", stored.obj)
        )
    return found


@given(seed=SEEDS)
@PROFILE
def test_any_bytes(served: Served, surface: Surface, seed: int) -> None:
    random = Random(seed)
    send = Sender(served.port)
    for _ in range(4):
        path, method, _, (group, version, kind) = random.choice(surface.collections)
        api_version = f"{group}/{version}" if group else version
        form = random.choice(
            ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "text/x", None)
        )
        if form == "application/vnd.kubernetes.protobuf":
            raw = bad_input.protobuf(random, api_version, kind)
        elif random.random() < 0.3:
            raw = random.randbytes(random.randrange(200))
        else:
            document = surface.documents.of_kind(random, group, version, kind, spoil=0.02)
            raw = bad_input.spoiled_bytes(random, orjson.dumps(document))
        url = filled(random, path) + bad_input.query(random)
        method = random.choice((method, "PUT", "PATCH", "DELETE"))
        url = url if method == "POST" else url.partition("?")[0] + "/a"
        answered(send, seed, method, url, raw, content_type=form)


@given(seed=SEEDS)
@PROFILE
def test_any_path(served: Served, surface: Surface, seed: int) -> None:
    random = Random(seed)
    send = Sender(served.port)
    for _ in range(4):
        path = filled(random, random.choice(surface.operations)[0])
        parts = path.split("/")
        for _ in range(random.randrange(3)):
            at = random.randrange(1, len(parts) + 1)
            parts[at:at] = [quote(bad_input.text(random), safe=random.choice(("", "/")))]
        method = random.choice(("GET", "POST", "PUT", "PATCH", "HEAD", "OPTIONS", "FOO"))
        status = answered(
            send, seed, method, "/".join(parts) + bad_input.query(random), b"{}" if method[0] == "P" else None
        )
        assert status >= 200
