"""one-camera-loses-its-pictures: a Local Service without a Pod on one node; each node must have its own."""

from podwalk.checks import Lab

CAMERAS = ("arena/camera-north", "arena/camera-south")
SERVICE = "arena/cutter"
BY_RULE = "a cutter, by rule"
SHOW_PODS = "kubectl -n arena get pod,ds,deploy -o wide"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("both cameras get an answer", nudge="How far does the lost picture get, and who takes it?") as answer:
        for camera in CAMERAS:
            lab.http(camera, "http://cutter/hostname").expect(status=200)

    with lab.step(
        "each camera is served on its own machine",
        nudge="Which line did the picture take to the one that answered?",
        needs=answer,
    ):
        for camera in CAMERAS:
            node = lab.node_of(camera).removeprefix("node:")
            lab.many(camera, "http://cutter/hostname", 30).expect(status=200, answered_by=cutters_on(lab, node))
        lab.field("Service", SERVICE, "spec.internalTrafficPolicy").expect("Local")

    with lab.step(
        "it stays so when the cutters are made anew",
        nudge="Who will put a cutter onto each machine tomorrow?",
        needs=answer,
    ):
        lab.value(lambda: places(lab), SHOW_PODS).expect(dict.fromkeys(lab.nodes(), BY_RULE))

    with lab.guard("cutter kept its name, type and address", nudge="What do the cameras know the cutter by?"):
        lab.same("Service", SERVICE, "spec.type", "spec.clusterIP")

    with lab.guard("the cameras stand where they stood", nudge="What would the south camera see from the north stand?"):
        for camera in CAMERAS:
            lab.same_pod(camera)


def cutters_on(lab: Lab, node: str) -> set[str]:
    """The names of the Pods behind the Service that run on a node."""
    addresses = lab.now.endpoints(SERVICE)
    pods = [p for p in lab.now.objects("Pod", "arena") if (p.get("status") or {}).get("podIP") in addresses]
    return {str(p["metadata"]["name"]) for p in pods if p["spec"].get("nodeName") == node}


def places(lab: Lab) -> dict[str, str]:
    """For each worker, what keeps a cutter there."""
    found = dict.fromkeys(lab.nodes(), "no cutter")
    hostname, required = "kubernetes.io/hostname", "requiredDuringSchedulingIgnoredDuringExecution"
    for node in found:
        names = cutters_on(lab, node)
        for pod in lab.now.objects("Pod", "arena"):
            if pod["metadata"]["name"] not in names:
                continue
            spec, owners = pod["spec"], pod["metadata"].get("ownerReferences") or []
            affinity = spec.get("affinity") or {}
            spreads = [
                s for s in spec.get("topologySpreadConstraints") or [] if s["whenUnsatisfiable"] != "ScheduleAnyway"
            ]
            apart = [*((affinity.get("podAntiAffinity") or {}).get(required) or []), *spreads]
            rules = (
                any(owner["kind"] == "DaemonSet" for owner in owners),
                hostname in (spec.get("nodeSelector") or {}),
                bool((affinity.get("nodeAffinity") or {}).get(required)),
                any(term["topologyKey"] == hostname for term in apart),
            )
            if owners and any(rules):
                found[node] = BY_RULE
            elif found[node] != BY_RULE:
                found[node] = "a cutter, by hand or by chance"
    return found
