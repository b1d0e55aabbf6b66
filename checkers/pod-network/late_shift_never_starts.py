"""late-shift-never-starts: reservations of Pods long gone fill host-local's range; only those may go."""

from podwalk.checks import Lab

_RESERVED = r"ls /var/lib/cni/networks/cbr0 | grep '^10\.' || true"


def _book(lab: Lab, node: str) -> str:
    """How the addresses that are reserved on the node differ from those that its Pods, and the sorters, have."""
    reserved = set(lab.read(f"node:{node}", _RESERVED).split())
    living = set()
    for pod in lab.now.objects("Pod", ""):
        spec, status = pod["spec"], pod.get("status") or {}
        alive = status.get("phase") not in ("Succeeded", "Failed") and not spec.get("hostNetwork")
        if spec.get("nodeName") == node and alive and status.get("podIP"):
            living.add(status["podIP"])
    lost = lab.pod_ips("parcels/sorter") - reserved
    return f"{len(reserved - living)} of Pods that are gone, {len(lost)} sorters without one"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("four sorters are ready", nudge="Who refuses the two that wait, and in which words?") as ready:
        lab.field("Deployment", "parcels/sorter", "status.readyReplicas").expect(4, within="6s")

    with lab.step(
        "the desk reaches each of them", nudge="Do the others know the way to the addresses you gave out?", needs=ready
    ):
        lab.many("parcels/desk", "http://sorter/hostname", 80).expect(answered_by=lab.pod_names("parcels/sorter"))

    with lab.step(
        "the book of addresses names the living and nobody else",
        nudge="What happens with the next Pods, when the book and the node disagree?",
        needs=ready,
    ):
        node = lab.node_of("parcels/deploy/sorter").removeprefix("node:")
        show = f"podwalk node {node} -- ls -l /var/lib/cni/networks/cbr0"
        lab.value(lambda: _book(lab, node), show).expect("0 of Pods that are gone, 0 sorters without one")

    with lab.guard("four sorters are asked for, beside the printer", nudge="How many parcels come by night?"):
        lab.same("Deployment", "parcels/sorter", "metadata.uid", "spec.replicas")
        pod = "spec.template.spec"
        lab.same("Deployment", "parcels/sorter", f"{pod}.nodeSelector", f"{pod}.hostNetwork", f"{pod}.containers")

    with lab.guard("the desk is the same Pod", nudge="Was it the desk that stood still?"):
        lab.same_pod("parcels/desk")
