"""The undo records: what was injected, kept in the cluster so that anybody can take it back from anywhere.

A record is a ConfigMap in kube-system, written before anything is broken. It is packed, so that `kubectl get -o yaml`
tells a learner in a drill nothing by accident; it is no secret.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict, dataclass, field
from typing import Any

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.client.sync import SyncClient

NAMESPACE = "kube-system"
LABEL = "podwalk.dev/fault"
EXPIRES = "podwalk.dev/expires"
_PREFIX = "podwalk-fault-"


@dataclass(frozen=True, slots=True)
class Record:
    """One injected fault: its id, its plan, when it ends by itself (Unix time), and the nodes as they were before.

    ``hidden``: it belongs to a drill, and its name is not told.
    """

    fault: str
    plan: dict[str, Any]
    injected: float
    expires: float
    hidden: bool = False
    nodes: dict[str, list[str]] = field(default_factory=dict)
    name: str = ""


def save(client: SyncClient, record: Record) -> Record:
    """Store it; the stored record has a name."""
    name = f"{_PREFIX}{meta.random_suffix()}"
    data = {k: v for k, v in asdict(record).items() if k != "name"}
    packed = base64.b64encode(zlib.compress(json.dumps(data).encode())).decode()
    client.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "labels": {LABEL: "injected"},
                "annotations": {EXPIRES: str(int(record.expires))},
            },
            "binaryData": {"record": packed},
        }
    )
    return Record(**{**data, "name": name})


def load(client: SyncClient) -> list[Record]:
    """All records, the newest first; one that somebody has damaged is left out."""
    found = []
    for obj in client.list("ConfigMap", NAMESPACE, label_selector=LABEL):
        try:
            data = json.loads(zlib.decompress(base64.b64decode((obj.get("binaryData") or {})["record"])))
            found.append(Record(**{**data, "name": meta.name(obj)}))
        except (KeyError, TypeError, ValueError, zlib.error):
            continue
    return sorted(found, key=lambda r: r.injected, reverse=True)


def remove(client: SyncClient, record: Record) -> None:
    """Delete it; nothing happens where it is gone."""
    try:
        client.delete("ConfigMap", record.name, NAMESPACE)
    except ApiError as error:
        if error.code != 404:
            raise
