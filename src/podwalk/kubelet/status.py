"""What a Pod's containers are doing, written as a PodStatus.

Stands in for ``generateAPIPodStatus`` of pkg/kubelet/kubelet_pods.go and pkg/kubelet/status/generate.go. Pure: the
worker keeps the records, this module renders them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from podwalk.api import meta, quantity
from podwalk.api.meta import Object

ContainerKind = Literal["init", "sidecar", "container", "ephemeral"]
# Conditions that the kubelet owns, in the order in which it writes them.
OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
EPOCH = "1970-01-01T00:00:00Z"


@dataclass(slots=True)
class ContainerRecord:
    """One container as the kubelet knows it; ``state`` and ``last_state`` are API ContainerStates."""

    spec: Object
    kind: ContainerKind
    state: Object = field(default_factory=dict)
    last_state: Object = field(default_factory=dict)
    restart_count: int = 0
    image: str = ""
    image_id: str = ""
    container_id: str = ""
    started: bool = False
    ready: bool = False

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self.spec["name"])

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return "running" in self.state

    @property
    def exit_code(self) -> int | None:
        """The exit code, where the container has ended."""
        ended = self.state.get("terminated")
        return int(ended["exitCode"]) if ended else None

    @property
    def last_exit_code(self) -> int | None:
        """The exit code of the run before, where there was one."""
        ended = self.last_state.get("terminated")
        return int(ended["exitCode"]) if ended else None


@dataclass(slots=True)
class PodView:
    """All that a PodStatus is made from. ``terminal``: the containers of a Pod that is over have all been stopped."""

    pod: Object
    records: list[ContainerRecord]
    host_ip: str
    pod_ips: list[str]
    sandbox_ready: bool
    start_time: str
    terminal: bool = False
    reason: str = ""
    message: str = ""
    phase: str = ""


def records_of(pod: Object) -> list[ContainerRecord]:
    """Fresh records of a Pod's containers, all waiting."""
    spec = pod["spec"]
    inits = spec.get("initContainers") or []
    waiting = {"waiting": {"reason": "PodInitializing" if inits else "ContainerCreating"}}
    out = [
        ContainerRecord(c, "sidecar" if c.get("restartPolicy") == "Always" else "init", state=dict(waiting))
        for c in inits
    ]
    out += [ContainerRecord(c, "container", state=dict(waiting)) for c in spec.get("containers") or ()]
    return out


def qos_class(pod: Object) -> str:
    """Guaranteed, Burstable or BestEffort, from all requests and limits (pkg/apis/core/v1/helper/qos)."""
    containers = [*(pod["spec"].get("containers") or ()), *(pod["spec"].get("initContainers") or ())]
    any_set, guaranteed = False, True
    for container in containers:
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        for name in ("cpu", "memory"):
            limit, request = limits.get(name), requests.get(name, limits.get(name))
            any_set = any_set or any(v is not None and quantity.value(v) > 0 for v in (limit, request))
            if limit is None or quantity.value(limit) != quantity.value(request or limit):
                guaranteed = False
    if not any_set:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _names(names: Iterable[str]) -> str:
    return f"[{' '.join(names)}]"


def has_initialized(records: list[ContainerRecord]) -> bool:
    """Whether a regular container has run, which proves that initialization once ended."""
    return any(r.kind == "container" and (r.running or r.exit_code is not None or r.last_state) for r in records)


def _initialization(records: list[ContainerRecord]) -> tuple[int, int]:
    """How many init containers are still to end (or start, for sidecars), and how many have failed."""
    pending = failed = 0
    for record in records:
        if record.kind == "sidecar":
            pending += 0 if record.started or record.running else 1
        elif record.kind == "init":
            code = record.exit_code if record.exit_code is not None else record.last_exit_code
            if record.running or code is None:
                pending += 1
            elif code != 0:
                failed += 1
    return pending, failed


def phase(view: PodView) -> str:
    """The Pod's phase; it is not over while something of it runs (mergePodStatus of status_manager.go)."""
    found = _phase(view)
    if found in ("Succeeded", "Failed") and any(r.running for r in view.records):
        return "Running" if has_initialized(view.records) else "Pending"
    return found


def _phase(view: PodView) -> str:
    """What its containers say (getPhase of kubelet_pods.go)."""
    if view.phase:
        return view.phase
    policy = view.pod["spec"].get("restartPolicy") or "Always"
    pending, failed = _initialization(view.records)
    if failed and policy == "Never":
        return "Failed"
    main = [r for r in view.records if r.kind == "container"]
    running = [r for r in main if r.running]
    ended = [r for r in main if r.exit_code is not None]
    waiting = [r for r in main if "waiting" in r.state]
    crashed = [r for r in waiting if r.last_state]
    if view.terminal and not running and (ended or crashed):
        return "Succeeded" if all(r.exit_code == 0 for r in main) else "Failed"
    if (pending and not has_initialized(view.records)) or len(waiting) > len(crashed):
        return "Pending"
    if running or crashed:
        return "Running"
    if not ended or policy == "Always":
        return "Running" if ended else "Pending"
    if all(r.exit_code == 0 for r in ended):
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def _terminal_condition(kind: str, pod_phase: str) -> Object | None:
    if pod_phase == "Succeeded":
        return {"type": kind, "status": "False", "reason": "PodCompleted"}
    if pod_phase == "Failed":
        return {"type": kind, "status": "False", "reason": "PodFailed"}
    return None


def _containers_ready(view: PodView, pod_phase: str) -> Object:
    over = _terminal_condition("ContainersReady", pod_phase)
    if over is not None:
        return over
    unready = [r.name for r in view.records if r.kind in ("container", "sidecar") and not r.ready]
    if unready:
        return {
            "type": "ContainersReady",
            "status": "False",
            "reason": "ContainersNotReady",
            "message": f"containers with unready status: {_names(unready)}",
        }
    return {"type": "ContainersReady", "status": "True"}


def _ready(view: PodView, containers_ready: Object) -> Object:
    if containers_ready["status"] != "True":
        return {**containers_ready, "type": "Ready"}
    problems = []
    for gate in view.pod["spec"].get("readinessGates") or ():
        found = meta.condition(view.pod, gate["conditionType"])
        if found is None:
            problems.append(f'corresponding condition of pod readiness gate "{gate["conditionType"]}" does not exist.')
        elif found.get("status") != "True":
            problems.append(
                f'the status of pod readiness gate "{gate["conditionType"]}" is not "True", but {found.get("status")}'
            )
    if problems:
        message = ", ".join(problems)
        return {"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady", "message": message}
    return {"type": "Ready", "status": "True"}


def _initialized(view: PodView, pod_phase: str) -> Object:
    if pod_phase == "Succeeded":
        return {"type": "Initialized", "status": "True", "reason": "PodCompleted"}
    incomplete = [
        r.name
        for r in view.records
        if (r.kind == "init" and r.exit_code != 0) or (r.kind == "sidecar" and not r.started)
    ]
    if incomplete and not has_initialized(view.records):
        return {
            "type": "Initialized",
            "status": "False",
            "reason": "ContainersNotInitialized",
            "message": f"containers with incomplete status: {_names(incomplete)}",
        }
    return {"type": "Initialized", "status": "True"}


def conditions(view: PodView, pod_phase: str) -> list[Object]:
    """All conditions: those of others as they are, then the kubelet's; unchanged ones keep their time."""
    containers_ready = _containers_ready(view, pod_phase)
    sandbox = "True" if view.sandbox_ready and (view.pod_ips or view.pod["spec"].get("hostNetwork")) else "False"
    fresh = [
        {"type": "PodReadyToStartContainers", "status": sandbox},
        _initialized(view, pod_phase),
        _ready(view, containers_ready),
        containers_ready,
        {"type": "PodScheduled", "status": "True"},
    ]
    old = (view.pod.get("status") or {}).get("conditions") or []
    before = {c["type"]: c for c in old}
    now, generation = meta.now(), view.pod["metadata"].get("generation")
    out = [dict(c) for c in old if c["type"] not in OWN_CONDITIONS]
    for condition in fresh:
        known = before.get(condition["type"])
        same = known is not None and known.get("status") == condition["status"]
        changed = known.get("lastTransitionTime") if known and same else now
        full: Object = {**condition, "lastProbeTime": None, "lastTransitionTime": changed or now}
        if generation:
            full["observedGeneration"] = generation
        out.append(full)
    return out


def is_overruled(pod: Object) -> bool:
    """Whether somebody else has set Ready to False, as the node controller does while it does not hear of the node.

    What the kubelet itself writes has a reason.
    """
    found = meta.condition(pod, "Ready")
    return found is not None and found.get("status") == "False" and not found.get("reason")


def container_status(record: ContainerRecord) -> Object:
    """One ContainerStatus."""
    out: Object = {
        "name": record.name,
        "state": record.state,
        "lastState": record.last_state,
        "ready": record.ready,
        "restartCount": record.restart_count,
        "image": record.image or record.spec.get("image", ""),
        "imageID": record.image_id,
    }
    if record.kind != "ephemeral":
        out["started"] = record.started
    if record.container_id:
        out["containerID"] = record.container_id
    resources = record.spec.get("resources") or {}
    if resources and record.container_id:
        out["resources"] = resources
        if resources.get("requests"):
            out["allocatedResources"] = resources["requests"]
    mounts = [
        {
            "name": m["name"],
            "mountPath": m["mountPath"],
            **({"readOnly": True, "recursiveReadOnly": "Disabled"} if m.get("readOnly") else {}),
        }
        for m in record.spec.get("volumeMounts") or ()
    ]
    if mounts:
        out["volumeMounts"] = mounts
    return out


def render(view: PodView) -> Object:
    """The whole PodStatus, as a merge patch of the old one (None removes what is no longer said)."""
    pod_phase = phase(view)
    ips = [{"ip": ip} for ip in view.pod_ips]
    groups = {kind: [container_status(r) for r in view.records if r.kind in kinds] for kind, kinds in _GROUPS.items()}
    out: Object = {
        "phase": pod_phase,
        "conditions": conditions(view, pod_phase),
        "hostIP": view.host_ip,
        "hostIPs": [{"ip": view.host_ip}],
        "podIP": view.pod_ips[0] if view.pod_ips else None,
        "podIPs": ips or None,
        "startTime": view.start_time,
        "qosClass": qos_class(view.pod),
        "reason": view.reason or None,
        "message": view.message or None,
        **{kind: statuses for kind, statuses in groups.items() if statuses},
    }
    if view.pod["metadata"].get("generation"):
        out["observedGeneration"] = view.pod["metadata"]["generation"]
    return out


_GROUPS: dict[str, tuple[str, ...]] = {
    "initContainerStatuses": ("init", "sidecar"),
    "containerStatuses": ("container",),
    "ephemeralContainerStatuses": ("ephemeral",),
}
