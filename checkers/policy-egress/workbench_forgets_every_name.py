"""workbench-forgets-every-name: egress is closed and DNS was forgotten; the name server opens, and no other."""

from podwalk.checks import Lab

BENCH = "watchmaker/deploy/bench"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step(
        "the bench finds parts by name", nudge="To whom does a packet go before the first one to parts?"
    ) as found:
        lab.goes_to(BENCH, "http://parts").expect("service watchmaker/parts")
        lab.many(BENCH, "http://parts/hostname", 10).expect(answered_by=lab.pod_names("watchmaker/parts"))

    names = lab.now.find("Service", "kube-system/kube-dns") or {}
    server = f"{names['spec']['clusterIP']}:53"
    with lab.step(
        "a long answer is fetched over TCP",
        nudge="What does a resolver do with an answer that is cut off?",
        needs=found,
    ):
        lab.connect(BENCH, server).expect("open")

    with lab.step(
        "a name server made tomorrow is asked as well",
        nudge="What will be the same about the next Pod of the name server, and what will not?",
        needs=found,
    ):
        for protocol in ("UDP", "TCP"):
            lab.successors(BENCH, f"kube-system/deploy/coredns:53/{protocol}").expect("allowed")

    with lab.step("the bench still speaks to nobody else", nudge="What else does the new rule let out?", needs=found):
        counter = next(iter(lab.ready_ips("pawnshop", app="counter")), "counter.pawnshop")
        lab.flows(
            allowed=[(BENCH, "parts:80"), ("pawnshop/broker", f"{counter}:8080"), ("pawnshop/broker", f"{counter}:53")],
            blocked=[(BENCH, f"{counter}:8080"), (BENCH, f"{counter}:53")],
        ).expect()
        for target in ("pawnshop/counter:53/UDP", "watchmaker/apprentice:8080", "watchmaker/deploy/parts:9000"):
            lab.successors(BENCH, target).expect("denied")
        lab.successors(BENCH, "kube-system/deploy/coredns:9153").expect("denied")

    with lab.guard("the bench and the parts are as they were", nudge="Was it one of these that needed a repair?"):
        for name in ("bench", "parts"):
            lab.same("Deployment", f"watchmaker/{name}", "metadata.uid", "spec.template.metadata.labels")
            lab.same("Deployment", f"watchmaker/{name}", "spec.template.spec")
        lab.same("Service", "watchmaker/parts", "metadata.uid", "spec.clusterIP", "spec.selector", "spec.ports")
