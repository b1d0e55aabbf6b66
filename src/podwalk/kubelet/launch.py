"""From a container's spec to what the runtime starts: user, capabilities, environment, mounts, files.

Stands in for ``generateContainerConfig`` of pkg/kubelet/kuberuntime/kuberuntime_container.go and security_context.go.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from podwalk.api.meta import Object
from podwalk.kubelet import resolv
from podwalk.kubelet.env import ConfigError
from podwalk.kubelet.images import HostProgram, ResolvedImage
from podwalk.netns import containers as runtime
from podwalk.netns.containers import ContainerSpec, Mount
from podwalk.netns.pods import PodSandbox

PROGRAM_DIRECTORY = Path("/var/lib/kubelet/programs")


@dataclass(slots=True)
class Surroundings:
    """What a Pod gives a container: ``mounts`` are (source, target, read only), ``files`` lie in the root."""

    cluster_domain: str
    mounts: list[tuple[str, str, bool]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


def security(pod: Object, container: Object, name: str) -> Any:
    """A field of the container's securityContext, or of the Pod's where the container has none."""
    own = (container.get("securityContext") or {}).get(name)
    return own if own is not None else (pod["spec"].get("securityContext") or {}).get(name)


def check_user(pod: Object, container: Object, image: ResolvedImage) -> None:
    """Refuse to run as root where runAsNonRoot is set. Raises ConfigError."""
    if not security(pod, container, "runAsNonRoot"):
        return
    uid = security(pod, container, "runAsUser")
    metadata = pod["metadata"]
    who = f'(pod: "{metadata["name"]}_{metadata["namespace"]}({metadata["uid"]})", container: {container["name"]})'
    if uid == 0:
        raise ConfigError(f"container's runAsUser breaks non-root policy {who}")
    if uid is None and not image.uid:
        raise ConfigError(f"container has runAsNonRoot and image will run as root {who}")


def capabilities(container: Object) -> frozenset[str]:
    """The capabilities: the default set, with ``add`` and without ``drop`` ("ALL" is every one)."""
    wanted = (container.get("securityContext") or {}).get("capabilities") or {}
    drop = {str(c).upper().removeprefix("CAP_") for c in wanted.get("drop") or ()}
    add = {str(c).upper().removeprefix("CAP_") for c in wanted.get("add") or ()}
    base = frozenset() if "ALL" in drop else runtime.DEFAULT_CAPABILITIES - drop
    return runtime.ALL_CAPABILITIES if "ALL" in add else frozenset(base | add)


def _program(data: bytes | HostProgram) -> Path:
    """An executable file of the node with this content, made once."""
    if isinstance(data, HostProgram):
        return data.place(PROGRAM_DIRECTORY)
    path = PROGRAM_DIRECTORY / hashlib.sha256(data).hexdigest()[:16]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_bytes(data)
        fresh.chmod(0o755)
        fresh.rename(path)
    return path


def groups(pod: Object) -> tuple[int, ...]:
    """The supplementary groups: fsGroup and supplementalGroups."""
    context = pod["spec"].get("securityContext") or {}
    extra = [int(g) for g in context.get("supplementalGroups") or ()]
    return tuple(extra if context.get("fsGroup") is None else [int(context["fsGroup"]), *extra])


def container_spec(
    pod: Object,
    container: Object,
    sandbox: PodSandbox,
    container_id: str,
    image: ResolvedImage,
    environment: dict[str, str],
    surroundings: Surroundings,
    target_pidfd: int = -1,
) -> ContainerSpec:
    """All that the runtime needs to start the container; ``target_pidfd`` is of the container whose pids it shares."""
    uid, gid = security(pod, container, "runAsUser"), security(pod, container, "runAsGroup")
    own = container.get("securityContext") or {}
    tty = bool(container.get("tty"))
    base = {**image.env, "HOSTNAME": resolv.kernel_hostname(pod, surroundings.cluster_domain)}
    if tty:
        base["TERM"] = "xterm"
    mounts = [Mount(source, target, read_only) for source, target, read_only in surroundings.mounts]
    mounts += [Mount(str(_program(data)), path, True) for path, data in image.programs.items()]
    return ContainerSpec(
        sandbox=sandbox,
        container_id=container_id,
        argv=image.argv,
        env={**base, **environment},
        cwd=str(container.get("workingDir") or image.workdir),
        mounts=mounts,
        files={**image.files, **surroundings.files},
        uid=image.uid if uid is None else int(uid),
        gid=None if gid is None else int(gid),
        groups=groups(pod),
        capabilities=capabilities(container),
        privileged=bool(own.get("privileged")),
        tty=tty,
        stdin=bool(container.get("stdin")),
        image=image.root,
        pids=_pids(pod, target_pidfd),
        target_pidfd=target_pidfd,
        read_only_root=bool(own.get("readOnlyRootFilesystem")),
        no_new_privileges=own.get("allowPrivilegeEscalation") is False,
        hold_signals=_is_own(image),
    )


def _is_own(image: ResolvedImage) -> bool:
    """Whether podwalk's own Python runs: it needs a moment for its signal handlers, which Go has from the start."""
    if isinstance(image.programs.get(image.argv[0]), bytes):
        return True
    return image.argv[:2] == [sys.executable, "-m"] and "".join(image.argv[2:3]).startswith("podwalk.")


def _pids(pod: Object, target_pidfd: int) -> runtime.Pids:
    """Whose pid namespace a container gets (``namespacesForPod`` of pkg/kubelet/kuberuntime/util)."""
    if pod["spec"].get("hostPID"):
        return "node"
    if pod["spec"].get("shareProcessNamespace"):
        return "pod"
    return "target" if target_pidfd >= 0 else "own"
