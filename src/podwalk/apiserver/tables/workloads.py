"""The rows of batch, policy, quota and RBAC kinds, and of the addresses that Services hold.

Upstream: pkg/printers/internalversion/printers.go, one function here per print function there.
"""

from __future__ import annotations

from typing import Any

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.api.selectors import format_label_selector
from podwalk.apiserver.tables.durations import age, human_duration, since

Cells = list[Any]

# The first of these conditions that is True names a Job's state; what stands between is the deletion.
_ENDED = (("Complete", "Complete"), ("Failed", "Failed"))
_PAUSED = ("Suspended", "FailureTarget", "SuccessCriteriaMet")


def _part(obj: Object, field: str) -> Object:
    return obj.get(field) or {}


def template_containers(owner: Object) -> Cells:
    """The names and the images of the containers in ``owner``'s Pod template: two cells."""
    containers = (((owner.get("spec") or {}).get("template") or {}).get("spec") or {}).get("containers") or []
    return [",".join(str(c.get(k, "")) for c in containers) for k in ("name", "image")]


def labels_cell(labels: Object | None) -> str:
    """``a=1,b=2`` in the order of the keys, or ``<none>``."""
    return ",".join(f"{k}={v}" for k, v in sorted((labels or {}).items())) or "<none>"


def _job_status(obj: Object) -> str:
    true = {c.get("type") for c in _part(obj, "status").get("conditions") or () if c.get("status") == "True"}
    for condition, shown in _ENDED:
        if condition in true:
            return shown
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return next((c for c in _PAUSED if c in true), "Running")


def _job_duration(status: Object) -> str:
    start, end = status.get("startTime"), status.get("completionTime")
    if not start:
        return ""
    if not end:
        return since(start)
    return human_duration((meta.parse_time(end) - meta.parse_time(start)).total_seconds())


def job(obj: Object) -> Cells:
    """Name, Status, Completions, Duration, Age and the wide cells of a Job."""
    spec, status = _part(obj, "spec"), _part(obj, "status")
    parallel = int(spec.get("parallelism") or 0)
    wanted: object = spec.get("completions")
    if wanted is None:
        wanted = f"1 of {parallel}" if parallel > 1 else 1
    return [
        obj["metadata"].get("name", ""),
        _job_status(obj),
        f"{status.get('succeeded', 0)}/{wanted}",
        _job_duration(status),
        age(obj),
        *template_containers(obj),
        format_label_selector(spec.get("selector")),
    ]


def cronjob(obj: Object) -> Cells:
    """Name, Schedule, Timezone, Suspend, Active, Last Schedule, Age and the wide cells of a CronJob."""
    spec, status = _part(obj, "spec"), _part(obj, "status")
    template = spec.get("jobTemplate") or {}
    suspend = spec.get("suspend")
    last = status.get("lastScheduleTime")
    return [
        obj["metadata"].get("name", ""),
        spec.get("schedule", ""),
        spec.get("timeZone") or "<none>",
        "<unset>" if suspend is None else str(bool(suspend)),
        len(status.get("active") or ()),
        since(last) if last else "<none>",
        age(obj),
        *template_containers(template),
        format_label_selector((template.get("spec") or {}).get("selector")),
    ]


def statefulset(obj: Object) -> Cells:
    """Name, Ready, Age and the wide cells of a StatefulSet."""
    ready = f"{_part(obj, 'status').get('readyReplicas', 0)}/{_part(obj, 'spec').get('replicas', 0)}"
    return [obj["metadata"].get("name", ""), ready, age(obj), *template_containers(obj)]


def replicationcontroller(obj: Object) -> Cells:
    """Name, Desired, Current, Ready, Age and the wide cells of a ReplicationController."""
    status = _part(obj, "status")
    return [
        obj["metadata"].get("name", ""),
        _part(obj, "spec").get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age(obj),
        *template_containers(obj),
        labels_cell(_part(obj, "spec").get("selector")),
    ]


def controllerrevision(obj: Object) -> Cells:
    """Name, Controller, Revision and Age of a ControllerRevision."""
    owners = [o for o in obj["metadata"].get("ownerReferences") or () if o.get("controller")]
    shown = "<none>"
    if owners:
        group = str(owners[0].get("apiVersion", "")).rpartition("/")[0]
        kind = str(owners[0].get("kind", ""))
        shown = f"{f'{kind}.{group}' if group else kind}".lower() + f"/{owners[0].get('name', '')}"
    return [obj["metadata"].get("name", ""), shown, obj.get("revision", 0), age(obj)]


def poddisruptionbudget(obj: Object) -> Cells:
    """Name, Min Available, Max Unavailable, Allowed Disruptions and Age of a PodDisruptionBudget."""
    spec = _part(obj, "spec")
    limits = (str(spec[k]) if spec.get(k) is not None else "N/A" for k in ("minAvailable", "maxUnavailable"))
    return [obj["metadata"].get("name", ""), *limits, _part(obj, "status").get("disruptionsAllowed", 0), age(obj)]


def resourcequota(obj: Object) -> Cells:
    """Name, Request, Limit and Age of a ResourceQuota: what is used of what is allowed."""
    status = _part(obj, "status")
    hard, used = status.get("hard") or {}, status.get("used") or {}
    shown: tuple[list[str], list[str]] = ([], [])
    for name in sorted(hard):
        shown[name.startswith("limits.")].append(f"{name}: {used.get(name, '0')}/{hard[name]}")
    return [obj["metadata"].get("name", ""), ", ".join(shown[0]), ", ".join(shown[1]), age(obj)]


def priorityclass(obj: Object) -> Cells:
    """Name, Value, Global-Default, Age and PreemptionPolicy of a PriorityClass."""
    return [
        obj["metadata"].get("name", ""),
        obj.get("value", 0),
        bool(obj.get("globalDefault")),
        age(obj),
        obj.get("preemptionPolicy") or "",
    ]


def rolebinding(obj: Object) -> Cells:
    """Name, Role, Age and the subjects of a RoleBinding or a ClusterRoleBinding."""
    role = obj.get("roleRef") or {}
    subjects: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in obj.get("subjects") or ():
        name = str(subject.get("name", ""))
        if subject.get("kind") == "ServiceAccount":
            name = f"{subject.get('namespace', '')}/{name}"
        if subject.get("kind") in subjects:
            subjects[subject["kind"]].append(name)
    named = f"{role.get('kind', '')}/{role.get('name', '')}"
    return [obj["metadata"].get("name", ""), named, age(obj), *(", ".join(names) for names in subjects.values())]


def servicecidr(obj: Object) -> Cells:
    """Name, CIDRs and Age of a ServiceCIDR."""
    return [obj["metadata"].get("name", ""), ",".join(_part(obj, "spec").get("cidrs") or ()), age(obj)]


def ipaddress(obj: Object) -> Cells:
    """Name, ParentRef and the age of an IPAddress. Upstream writes the age too, though no column is declared for it."""
    parent = _part(obj, "spec").get("parentRef")
    shown = "<none>"
    if parent:
        group = f".{parent['group']}" if parent.get("group") else ""
        resource = f"{parent.get('resource', '')}{group}".lower()
        shown = "/".join(p for p in (resource, parent.get("namespace"), parent.get("name")) if p)
    return [obj["metadata"].get("name", ""), shown, age(obj)]
