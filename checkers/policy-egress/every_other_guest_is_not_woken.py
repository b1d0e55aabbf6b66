"""every-other-guest-is-not-woken: a rule names a port by number that means another door in half of the Pods."""

from podwalk.checks import Lab

DESK, BURGLAR = "grandhotel/desk", "grandhotel/burglar"
OLD = "8080"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    new = lab.parameters["port"]
    phones = {"old": OLD, "new": new}
    safes = {"old": new, "new": OLD}
    rooms = [(wing, ip) for wing in phones for ip in sorted(lab.now.ready_ips("grandhotel", app="room", wing=wing))]
    lobby = next(iter(lab.now.ready_ips("grandhotel", app="lobby")), "lobby")

    with lab.step("thirty guests in a row are woken", nudge="Which rooms never answer, and are they shut?") as woken:
        pods = lab.pod_names("grandhotel/old-wing") | lab.pod_names("grandhotel/new-wing")
        lab.goes_to(DESK, "http://wakeup").expect("service grandhotel/wakeup")
        lab.many(DESK, "http://wakeup/hostname", 30).expect(answered_by=pods)

    with lab.step(
        "the safes stay shut, and so do the rooms for strangers",
        nudge="What is behind the same number in the other wing?",
        needs=woken,
    ):
        lab.flows(
            allowed=[(DESK, f"{ip}:{phones[wing]}") for wing, ip in rooms]
            + [(BURGLAR, f"{lobby}:{port}") for port in (OLD, new)],
            blocked=[(DESK, f"{ip}:{safes[wing]}") for wing, ip in rooms]
            + [(BURGLAR, f"{ip}:{port}") for _, ip in rooms for port in (OLD, new)],
        ).expect()

    with lab.step(
        "the next Pods of both wings are woken as well",
        nudge="Does the rule know the rooms, or where they are today?",
        needs=woken,
    ):
        for wing in phones:
            rooms_next = f"grandhotel/deploy/{wing}-wing"
            lab.successors(DESK, f"{rooms_next}:{phones[wing]}").expect("allowed")
            lab.successors(DESK, f"{rooms_next}:{safes[wing]}").expect("denied")
            for who in (BURGLAR, "podwalk-control/caller"):
                lab.successors(who, f"{rooms_next}:{phones[wing]}").expect("denied")

    with lab.guard("both wings and their Service are as they were", nudge="Was it the wings that owed you something?"):
        for wing in phones:
            lab.same("Deployment", f"grandhotel/{wing}-wing", "metadata.uid", "spec.replicas", "spec.template")
        lab.same("Service", "grandhotel/wakeup", "metadata.uid", "spec.clusterIP", "spec.selector", "spec.ports")

    with lab.guard("desk and burglar are the same Pods", nudge="Who was it that had to change?"):
        for who in (DESK, BURGLAR):
            lab.same("Pod", who, "metadata.uid", "metadata.labels")
