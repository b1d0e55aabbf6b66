"""cold-store-does-not-answer: a node keeps what comes in by some of its devices; it must forward from each."""

from podwalk.checks import Lab


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step(
        "the office reads the cold store", nudge="By which device does the packet come in, and does it go on?"
    ):
        lab.many("dairy/office", "http://coldstore/hostname", 10).expect(answered_by=lab.pod_names("dairy/coldstore"))

    with lab.step(
        "the porter reads the office", nudge="Whose packets does the node still keep, and what do they want of it?"
    ):
        lab.http("dairy/porter", "http://office/hostname").expect(body="office")

    with lab.step(
        "the gate reads the cold store from outside",
        nudge="Which device do packets from outside come in by, and who told that one?",
    ):
        url = f"http://{lab.node_ip(lab.nodes()[1])}:30017/hostname"
        lab.http("outside", url).expect(answered_by=lab.pod_names("dairy/coldstore"))

    with lab.guard("everybody stands where they stood", nudge="Was it the place that was broken?"):
        lab.same("Deployment", "dairy/coldstore", "metadata.uid", "spec.template.spec.nodeSelector")
        lab.same("Deployment", "dairy/coldstore", "spec.template.spec.hostNetwork", "spec.template.spec.containers")
        lab.same("Service", "dairy/coldstore", "metadata.uid", "spec.clusterIP", "spec.selector", "spec.ports")
        lab.same_pod("dairy/porter")
        lab.same_pod("dairy/office")
