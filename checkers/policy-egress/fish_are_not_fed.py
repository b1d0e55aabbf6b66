"""fish-are-not-fed: policies on both ends name the Service's port; they must name the Pod's, and nothing more."""

from podwalk.checks import Lab

FEEDER, VISITOR = "aquarium/feeder", "aquarium/visitor"
SWITCH = 9000


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    port = lab.parameters["port"]
    fish = sorted(lab.now.ready_ips("aquarium", app="plankton"))
    tank = next(iter(lab.now.ready_ips("aquarium", app="tank")), "tank")
    with lab.step(
        "the feeder gets plankton thirty times in a row", nudge="Which port is on the packet when a policy looks at it?"
    ) as fed:
        lab.goes_to(FEEDER, "http://plankton").expect("service aquarium/plankton")
        lab.many(FEEDER, "http://plankton/hostname", 30).expect(answered_by=lab.pod_names("aquarium/plankton"))

    with lab.step("only the feeder does", nudge="For whom did the inspector leave a door?", needs=fed):
        lab.flows(
            allowed=[(VISITOR, f"{tank}:{port}"), *((FEEDER, f"{ip}:{port}") for ip in fish)],
            blocked=[(VISITOR, f"{ip}:{port}") for ip in fish] + [(FEEDER, f"{tank}:{port}")],
        ).expect()

    with lab.step("the pump's switch stays out of reach", nudge="How many ports does the door have now?", needs=fed):
        lab.flows(
            allowed=[(VISITOR, f"{tank}:{SWITCH}"), *((FEEDER, f"{ip}:{port}") for ip in fish)],
            blocked=[(who, f"{ip}:{SWITCH}") for ip in fish for who in (FEEDER, VISITOR)],
        ).expect()

    with lab.step(
        "that holds for the next Pods as well", nudge="Does the rule know the fish, or where they swim?", needs=fed
    ):
        lab.successors(FEEDER, f"aquarium/deploy/plankton:{port}").expect("allowed")
        for who in (VISITOR, "aquarium/tank", "podwalk-control/caller"):
            lab.successors(who, f"aquarium/deploy/plankton:{port}").expect("denied")
        lab.successors(FEEDER, f"aquarium/deploy/plankton:{SWITCH}").expect("denied")
        for other in (f"{port}/UDP", f"{int(port) + 1}", "22", "53"):
            lab.successors(FEEDER, f"aquarium/deploy/plankton:{other}").expect("denied")

    with lab.guard("the Service, the plankton and the feeder are as they were", nudge="Which of them was wrong?"):
        lab.same("Service", "aquarium/plankton", "metadata.uid", "spec.clusterIP", "spec.selector", "spec.ports")
        lab.same("Deployment", "aquarium/plankton", "metadata.uid", "spec.template")
        for name in ("feeder", "visitor"):
            lab.same("Pod", f"aquarium/{name}", "metadata.uid", "metadata.labels")

    with lab.guard("the feeder still goes nowhere else", nudge="What did the second half of the note say?"):
        lab.successors(FEEDER, "aquarium/visitor:8080").expect("denied")
        lab.successors(FEEDER, f"aquarium/tank:{port}").expect("denied")
