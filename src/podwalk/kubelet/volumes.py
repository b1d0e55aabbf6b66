"""A Pod's volumes as directories of the node, and a container's mounts of them.

Stands in for pkg/volume/{emptydir,configmap,secret,projected,downwardapi} and its atomic writer: the files of
a volume are links into ``..data``, which is one link that is swapped, so that a change shows all at once.
"""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from podwalk.api import quantity
from podwalk.api.meta import Object
from podwalk.kubelet import env, storage
from podwalk.kubelet.storage import MountError

_SERVICE_ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_TOKEN_SECONDS = 3607

# (name, key) of a token: audience "" is the API server's.
TokenSource = Callable[[str, int], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class File:
    """One file of a volume."""

    data: bytes
    mode: int = 0o644
    owner: int | None = None


def service_account_volume(pod: Object) -> Object | None:
    """The volume with the Pod's API credentials, where its spec does not carry one already (as admission adds it)."""
    spec = pod["spec"]
    if spec.get("automountServiceAccountToken") is False:
        return None
    for container in spec.get("containers") or ():
        if any(m.get("mountPath") == _SERVICE_ACCOUNT_PATH for m in container.get("volumeMounts") or ()):
            return None
    token = {"serviceAccountToken": {"path": "token", "expirationSeconds": _TOKEN_SECONDS}}
    ca = {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
    namespace = {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}}
    return {"name": "kube-api-access", "projected": {"defaultMode": 0o644, "sources": [token, ca, namespace]}}


def service_account_mount() -> Object:
    """The mount that goes with :func:`service_account_volume`."""
    return {"name": "kube-api-access", "mountPath": _SERVICE_ACCOUNT_PATH, "readOnly": True}


def references(volume: Object) -> set[tuple[str, str]]:
    """The (kind, name) of the ConfigMaps and Secrets that a volume shows."""
    out: set[tuple[str, str]] = set()
    if volume.get("configMap"):
        out.add(("ConfigMap", str(volume["configMap"]["name"])))
    if volume.get("secret"):
        out.add(("Secret", str(volume["secret"]["secretName"])))
    for source in (volume.get("projected") or {}).get("sources") or ():
        if source.get("configMap"):
            out.add(("ConfigMap", str(source["configMap"]["name"])))
        if source.get("secret"):
            out.add(("Secret", str(source["secret"]["name"])))
    return out


def _payload(kind: str, source: Object, sources: env.Sources, mode: int) -> dict[str, File]:
    name = str(source.get("secretName") or source.get("name"))
    optional = bool(source.get("optional"))
    obj = sources.get((kind, name))
    if obj is None:
        if optional:
            return {}
        raise MountError(f'{kind.lower()} "{name}" not found')
    data = {k: str(v).encode() for k, v in (obj.get("data") or {}).items()}
    if kind == "Secret":
        data = {k: base64.b64decode(v) for k, v in data.items()}
    data.update({k: base64.b64decode(v) for k, v in (obj.get("binaryData") or {}).items()})
    items = source.get("items")
    if not items:
        return {key: File(value, mode) for key, value in data.items()}
    out = {}
    for item in items:
        if item["key"] in data:
            out[str(item["path"])] = File(data[item["key"]], int(item.get("mode") or mode))
        elif not optional:
            what = (
                "configmap references non-existent config key"
                if kind == "ConfigMap"
                else "references non-existent secret key"
            )
            raise MountError(f"{what}: {item['key']}")
    return out


def _downward(pod: Object, items: list[Object], mode: int, allocatable: dict[str, str]) -> dict[str, File]:
    out = {}
    for item in items:
        try:
            if item.get("fieldRef"):
                value = env.field_value(pod, str(item["fieldRef"]["fieldPath"]))
            else:
                value = env.resource_value(pod, item["resourceFieldRef"], {}, allocatable)
        except env.ConfigError as error:
            raise MountError(str(error)) from None
        out[str(item["path"])] = File(value.encode(), int(item.get("mode") or mode))
    return out


async def payload(
    volume: Object, pod: Object, sources: env.Sources, token: TokenSource, allocatable: dict[str, str]
) -> dict[str, File] | None:
    """The files of a configMap, secret, downwardAPI or projected volume; None for a volume of another type.

    Raises MountError.
    """
    for kind, field in (("ConfigMap", "configMap"), ("Secret", "secret")):
        if volume.get(field):
            return _payload(kind, volume[field], sources, int(volume[field].get("defaultMode") or 0o644))
    if volume.get("downwardAPI"):
        source = volume["downwardAPI"]
        return _downward(pod, source.get("items") or [], int(source.get("defaultMode") or 0o644), allocatable)
    if "projected" not in volume:
        return None
    mode = int(volume["projected"].get("defaultMode") or 0o644)
    out: dict[str, File] = {}
    for source in volume["projected"].get("sources") or ():
        if source.get("configMap"):
            out.update(_payload("ConfigMap", source["configMap"], sources, mode))
        elif source.get("secret"):
            out.update(_payload("Secret", source["secret"], sources, mode))
        elif source.get("downwardAPI"):
            out.update(_downward(pod, source["downwardAPI"].get("items") or [], mode, allocatable))
        elif source.get("serviceAccountToken"):
            wanted = source["serviceAccountToken"]
            seconds = int(wanted.get("expirationSeconds") or 3600)
            text = await token(str(wanted.get("audience") or ""), seconds)
            out[str(wanted["path"])] = _token_file(text.encode(), pod, mode)
        else:
            raise MountError(f"the embedded cluster has no projected sources of type {', '.join(source) or 'none'}")
    return out


def _token_file(data: bytes, pod: Object, mode: int) -> File:
    """A token is for one user or group where the Pod has one: upstream narrows its mode then."""
    context = pod["spec"].get("securityContext") or {}
    containers = [*(pod["spec"].get("containers") or ()), *(pod["spec"].get("initContainers") or ())]
    users = {(c.get("securityContext") or {}).get("runAsUser", context.get("runAsUser")) for c in containers}
    owner = users.pop() if len(users) == 1 else None
    narrow = owner is not None or context.get("fsGroup") is not None
    return File(data, 0o600 if narrow else mode, owner)


def _inside(relative: str) -> str:
    path = PurePosixPath(relative)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise MountError(f"invalid path: {relative}")
    return str(path)


def write(directory: Path, files: dict[str, File]) -> bool:
    """Make the directory show exactly these files, all at once. Returns whether anything changed. Raises MountError."""
    directory.mkdir(parents=True, exist_ok=True)
    data = directory / "..data"
    if data.exists() and _same(data, files):
        return False
    stamp = directory / datetime.now(UTC).strftime("..%Y_%m_%d_%H_%M_%S.%f")
    stamp.mkdir()
    for name, file in files.items():
        path = stamp / _inside(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        path.chmod(file.mode)
        if file.owner is not None:
            os.chown(path, file.owner, -1)
    old = os.readlink(data) if data.is_symlink() else None
    fresh = directory / "..data_tmp"
    fresh.symlink_to(stamp.name)
    os.replace(fresh, data)
    _link(directory, {PurePosixPath(name).parts[0] for name in files})
    if old:
        shutil.rmtree(directory / old, ignore_errors=True)
    return True


def _same(data: Path, files: dict[str, File]) -> bool:
    directory = data.resolve()
    found = {str(p.relative_to(directory)): p for p in directory.rglob("*") if p.is_file()}
    return found.keys() == files.keys() and all(
        found[n].read_bytes() == f.data and found[n].stat().st_mode & 0o777 == f.mode & 0o777 for n, f in files.items()
    )


def _link(directory: Path, names: set[str]) -> None:
    for entry in directory.iterdir():
        if not entry.name.startswith("..") and entry.name not in names:
            with suppress(OSError):
                entry.unlink()
    for name in names:
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(f"..data/{name}")


class PodVolumes:
    """The volumes of one Pod, below ``root`` (the node's /var/lib/kubelet/pods/UID)."""

    def __init__(self, root: Path, pod: Object) -> None:
        self._root = root
        self.volumes: list[Object] = list(pod["spec"].get("volumes") or ())
        added = service_account_volume(pod)
        self._mounts_account = added is not None
        if added is not None:
            self.volumes.append(added)
        self._paths: dict[str, Path] = {}
        group = (pod["spec"].get("securityContext") or {}).get("fsGroup")
        self._group = None if group is None else int(group)

    def references(self) -> set[tuple[str, str]]:
        """The ConfigMaps and Secrets that any volume shows."""
        return set().union(*(references(v) for v in self.volumes)) if self.volumes else set()

    async def set_up(
        self, volume: Object, pod: Object, sources: env.Sources, token: TokenSource, allocatable: dict[str, str]
    ) -> None:
        """Create or refresh one volume. Raises MountError."""
        name = str(volume["name"])
        files = await payload(volume, pod, sources, token, allocatable)
        if files is not None:
            path = self._paths[name] = self._directory(name)
            if write(path, files) and self._group is not None:
                storage.give_to_group(path, self._group, read_only=True)
        elif volume.get("hostPath"):
            self._paths[name] = storage.host_path(volume["hostPath"])
        elif "emptyDir" in volume:
            self._empty_dir(name, volume["emptyDir"] or {}, allocatable)
        else:
            kinds = ", ".join(k for k in volume if k != "name")
            raise MountError(f"the embedded cluster has no volumes of type {kinds}")

    def _empty_dir(self, name: str, source: Object, allocatable: dict[str, str]) -> None:
        path = self._paths.get(name)
        if path is not None:
            return
        path = self._directory(name)
        if source.get("medium") == "Memory":
            limit = source.get("sizeLimit") or allocatable.get("memory") or "0"
            storage.make_memory(path, int(quantity.value(limit)))
        else:
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o777)
        if self._group is not None:
            storage.give_to_group(path, self._group, read_only=False)
        self._paths[name] = path

    def overflowing(self) -> str:
        """Why the Pod is to be evicted: an emptyDir is larger than its limit; else an empty text."""
        for volume in self.volumes:
            limit = (volume.get("emptyDir") or {}).get("sizeLimit")
            path = self._paths.get(str(volume["name"]))
            if limit and path is not None and storage.used_bytes(path) > quantity.value(limit) > 0:
                return f'Usage of EmptyDir volume "{volume["name"]}" exceeds the limit "{limit}". '
        return ""

    def _directory(self, name: str) -> Path:
        return self._root / "volumes" / name

    def mounts(self, container: Object, environment: dict[str, str]) -> list[tuple[str, str, bool]]:
        """The (source, target, read only) of a container. Raises ConfigError."""
        wanted = list(container.get("volumeMounts") or ())
        if self._mounts_account:
            wanted.append(service_account_mount())
        out = []
        for mount in wanted:
            source = self._paths.get(str(mount["name"]))
            if source is None:
                raise env.ConfigError(
                    f'cannot find volume "{mount["name"]}" to mount into container "{container["name"]}"'
                )
            sub = str(mount.get("subPath") or env.expand(str(mount.get("subPathExpr") or ""), environment.get))
            out.append((_sub_path(source, sub), str(mount["mountPath"]), bool(mount.get("readOnly"))))
        return out

    def remove(self) -> None:
        """Delete everything that belongs to the Pod on this node."""
        for volume in self.volumes:
            if (volume.get("emptyDir") or {}).get("medium") == "Memory":
                storage.unmount(self._directory(str(volume["name"])))
        shutil.rmtree(self._root, ignore_errors=True)


def _sub_path(source: Path, sub: str) -> str:
    if not sub:
        return str(source)
    try:
        wanted = source / _inside(sub)
    except MountError as error:
        raise env.ConfigError(f"failed to prepare subPath: {error}") from None
    resolved = wanted.resolve()
    if not resolved.is_relative_to(source.resolve()):
        raise env.ConfigError(f"failed to prepare subPath: {sub} leaves the volume")
    if not resolved.exists():
        resolved.mkdir(parents=True, exist_ok=True)
    return str(resolved)
