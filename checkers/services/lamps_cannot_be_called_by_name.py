"""lamps-cannot-be-called-by-name: the Pods' subdomain names no Service; each must have its name under `lamps`."""

from podwalk.checks import Lab

MASTER = "harbour/master"
LAMPS = ("lamp-0", "lamp-1")


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("each lamp answers to its own name", nudge="Of which two objects is such a name made?") as answer:
        for lamp in LAMPS:
            lab.many(MASTER, f"http://{lamp}.lamps:8080/hostname", 12).expect(answered_by={lamp})

    with lab.step(
        "a name follows its lamp", nudge="Who will write the address of the next lamp-0 into DNS?", needs=answer
    ):
        for lamp in LAMPS:
            # What DNS says is what the endpoints controller reads off the Pod; /etc/hosts would not show here.
            lab.lookup(MASTER, f"{lamp}.lamps.harbour.svc.cluster.local.").expect(lambda lamp=lamp: address(lab, lamp))
            lab.field("Pod", f"harbour/{lamp}", "spec.subdomain").expect("lamps")
        lab.output(MASTER, "grep -c 'lamp-[01]' /etc/hosts || true").expect("0")
        lab.field("StatefulSet", "harbour/lamp", "spec.serviceName").expect("lamps")

    with lab.step("the harbour master still sees all lamps", nudge="Whom did the name lamps mean before?"):
        everyone = "lamps.harbour.svc.cluster.local."
        lab.lookup(MASTER, everyone).expect(lambda: address(lab, LAMPS[0]) | address(lab, LAMPS[1]))
        lab.http(MASTER, "http://lamps:8080/hostname").expect(answered_by=set(LAMPS))

    with lab.guard("lamps is still a Service of all lamps, without an address", nudge="What did the pilots use?"):
        lab.same("Service", "harbour/lamps", "metadata.uid", "spec.clusterIP", "spec.selector", "spec.ports")

    with lab.guard("the harbour master is the same Pod", nudge="Whose logbook has the names in it?"):
        lab.same_pod(MASTER)


def address(lab: Lab, pod: str) -> set[str]:
    """The address of a Pod, as the API has it now."""
    found = lab.now.find("Pod", f"harbour/{pod}") or {}
    return {str((found.get("status") or {}).get("podIP"))}
