"""One Pod as a row: READY, STATUS and RESTARTS are derived, no field holds them.

Upstream: printPod in pkg/printers/internalversion/printers.go.
"""

from __future__ import annotations

from typing import Any

from podwalk.api.meta import Object
from podwalk.apiserver.tables.durations import age, since

_FINISHED = {
    "Succeeded": "The pod has completed successfully.",
    "Failed": "The pod failed.",
}


def _restartable(container: Object | None) -> bool:
    return bool(container) and (container or {}).get("restartPolicy") == "Always"


def _exit_reason(terminated: Object) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _last_restart(status: Object) -> str:
    """When the run before this one ended; empty where there was none. RFC 3339 in UTC sorts as text."""
    return str(((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or "")


class _Summary:
    """What the row says of the Pod's containers, gathered status by status."""

    def __init__(self, pod: Object) -> None:
        spec, status = pod.get("spec") or {}, pod.get("status") or {}
        self.init = {c.get("name"): c for c in spec.get("initContainers") or ()}
        self.init_total = len(spec.get("initContainers") or ())
        self.total = len(spec.get("containers") or ()) + sum(map(_restartable, self.init.values()))
        self.ready = 0
        self.restarts = 0
        self.last_restart = ""
        self.reason = str(status.get("reason") or status.get("phase") or "")
        conditions = {c.get("type"): c for c in status.get("conditions") or ()}
        if conditions.get("PodScheduled", {}).get("reason") == "SchedulingGated":
            self.reason = "SchedulingGated"
        initializing = self._read_init(status.get("initContainerStatuses") or [])
        if not initializing or conditions.get("Initialized", {}).get("status") == "True":
            self._read_main(status.get("containerStatuses") or [], conditions)

    def _count(self, status: Object) -> None:
        self.restarts += int(status.get("restartCount") or 0)
        self.last_restart = max(self.last_restart, _last_restart(status))

    def _read_init(self, statuses: list[Object]) -> bool:
        """Read init containers in order; stop at the first that is not done. Returns whether there is one."""
        sidecar_restarts, sidecar_last = 0, ""
        for index, status in enumerate(statuses):
            self._count(status)
            sidecar = _restartable(self.init.get(status.get("name")))
            if sidecar:
                sidecar_restarts += int(status.get("restartCount") or 0)
                sidecar_last = max(sidecar_last, _last_restart(status))
            state = status.get("state") or {}
            terminated, waiting = state.get("terminated"), state.get("waiting") or {}
            if terminated is not None and not terminated.get("exitCode"):
                continue
            if sidecar and status.get("started"):
                self.ready += bool(status.get("ready"))
                continue
            if terminated is not None:
                self.reason = f"Init:{_exit_reason(terminated)}"
            elif waiting.get("reason") and waiting["reason"] != "PodInitializing":
                self.reason = f"Init:{waiting['reason']}"
            else:
                self.reason = f"Init:{index}/{self.init_total}"
            self._sidecars = (sidecar_restarts, sidecar_last)
            return True
        self._sidecars = (sidecar_restarts, sidecar_last)
        return False

    def _read_main(self, statuses: list[Object], conditions: dict[Any, Object]) -> None:
        self.restarts, self.last_restart = self._sidecars
        running = False
        for status in reversed(statuses):
            self._count(status)
            state = status.get("state") or {}
            if (state.get("waiting") or {}).get("reason"):
                self.reason = str(state["waiting"]["reason"])
            elif state.get("terminated") is not None:
                self.reason = _exit_reason(state["terminated"])
            elif status.get("ready") and state.get("running") is not None:
                running = True
                self.ready += 1
        if self.reason == "Completed" and running:
            self.reason = "Running" if conditions.get("Ready", {}).get("status") == "True" else "NotReady"


def _readiness_gates(pod: Object) -> str:
    gates = (pod.get("spec") or {}).get("readinessGates") or []
    if not gates:
        return "<none>"
    true = {c.get("type") for c in (pod.get("status") or {}).get("conditions") or () if c.get("status") == "True"}
    return f"{sum(g.get('conditionType') in true for g in gates)}/{len(gates)}"


def pod_status(pod: Object) -> str:
    """The STATUS cell of a Pod: what kubectl shows is a summary, not ``status.phase``."""
    reason, status = _Summary(pod).reason, pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            return "Unknown"
        if status.get("phase") not in _FINISHED:
            return "Terminating"
    return reason


def pod_cells(pod: Object) -> list[Any]:
    """The cells of a Pod's row."""
    summary = _Summary(pod)
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    restarts = str(summary.restarts)
    if summary.restarts and summary.last_restart:
        restarts = f"{summary.restarts} ({since(summary.last_restart)} ago)"
    ips = status.get("podIPs") or [{"ip": status.get("podIP")}]
    return [
        pod["metadata"].get("name", ""),
        f"{summary.ready}/{summary.total}",
        pod_status(pod),
        restarts,
        age(pod),
        ips[0].get("ip") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        _readiness_gates(pod),
    ]


def pod_row_conditions(pod: Object) -> list[Object]:
    """The row's conditions: a finished Pod is marked Completed, so that clients may grey it out."""
    phase = str((pod.get("status") or {}).get("phase"))
    if phase not in _FINISHED:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": _FINISHED[phase]}]
