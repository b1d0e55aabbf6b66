"""sea-gauge-is-silent: a policy names a Pod by its labels, and the Pod is on its node's network, where it has none."""

from podwalk.checks import Lab

READER = "dike/deploy/reader"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    sea = sorted(lab.now.ready_ips("dike", app="gauge", side="sea"))
    buoy = next(iter(lab.now.ready_ips("dike", app="buoy")), "buoy")
    with lab.step("the reader reads both gauges", nudge="As whom does the reader arrive at the sea gauge?") as reads:
        for side in ("land", "sea"):
            gauge = f"gauge-{side}.dike.svc.cluster.local"
            lab.goes_to(READER, f"http://{gauge}:8080").expect(f"service dike/gauge-{side}")
            lab.many(READER, f"http://{gauge}:8080/hostname", 10).expect(
                answered_by=lab.pod_names(f"dike/gauge-{side}")
            )

    with lab.step("nobody else reads the sea gauge", nudge="Who else comes from that address?", needs=reads) as closed:
        lab.flows(
            allowed=[
                *((READER, f"{ip}:8080") for ip in sea),
                ("dike/lodger", f"{buoy}:8080"),
                ("dike/boat", f"{buoy}:8080"),
            ],
            blocked=[(who, f"{ip}:8080") for ip in sea for who in ("dike/lodger", "dike/boat")],
        ).expect()

    with lab.step(
        "that holds for the next Pods as well",
        nudge="What is the same about the next reader, and what is not?",
        needs=(reads, closed),
    ):
        for side in ("land", "sea"):
            lab.successors(READER, f"dike/deploy/gauge-{side}:8080").expect("allowed")
            for who in ("dike/lodger", "dike/boat"):
                lab.successors(who, f"dike/deploy/gauge-{side}:8080").expect("denied")

    with lab.guard("the gauges are what and where they were", nudge="Who was it that had to move?"):
        for side in ("land", "sea"):
            lab.same("Deployment", f"dike/gauge-{side}", "metadata.uid", "spec.template", "spec.replicas")
            lab.same("Service", f"dike/gauge-{side}", "metadata.uid", "spec.clusterIP", "spec.selector", "spec.ports")

    with lab.guard("the reader is on its machine and reads by itself", nudge="What is the siren wired to?"):
        path = "spec.template.spec.nodeName"
        lab.same("Deployment", "dike/reader", "metadata.uid", "spec.selector")
        lab.field("Deployment", "dike/reader", path).expect(
            lab.at_start.fields("Deployment", "dike/reader", path)[path]
        )
        lab.same_pod("dike/lodger")
        lab.same_pod("dike/boat")
