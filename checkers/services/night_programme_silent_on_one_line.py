"""night-programme-silent-on-one-line: externalTrafficPolicy Local and one Pod; every worker must answer."""

from podwalk.checks import Lab


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step(
        "both lines answer thirty listeners in a row", nudge="Who may be chosen for a call that comes from outside?"
    ) as lines:
        for node in lab.nodes():
            url = f"http://{lab.node_ip(node)}:{lab.parameters['port']}/hostname"
            lab.many("outside", url, 30).expect(status=200, answered_by=lab.pod_names("radio/player"))

    with lab.step(
        "neither line depends on where the player sits",
        nudge="Which of the two would fall silent if the player were made anew on the other machine?",
        needs=lines,
    ):
        ready = [e for s in lab.now.slices("radio/player") for e in s.get("endpoints") or ()]
        if not {str(e.get("nodeName")) for e in ready} >= set(lab.nodes()):
            lab.field("Service", "radio/player", "spec.externalTrafficPolicy").expect("Cluster")
        lab.finds_new_pods("radio/player", "radio/player")

    with lab.guard("the player sits where the deck is", nudge="What stands beside that machine?"):
        lab.same("Deployment", "radio/player", "metadata.uid", "spec.replicas", "spec.template.spec.nodeSelector")
        lab.same("Deployment", "radio/player", "spec.template.spec.containers")

    with lab.guard("the printed number still holds", nudge="What stands in the programme of the month?"):
        lab.field("Service", "radio/player", "spec.ports").expect(
            lab.at_start.fields("Service", "radio/player", "spec.ports")["spec.ports"]
        )
