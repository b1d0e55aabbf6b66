"""strangers-try-on-the-costumes: two items in a rule's list where one was meant; the rule must be an "and" again."""

from podwalk.checks import Lab

STRANGERS = ("playhouse/usher", "wardrobe/mannequin", "travellers/dresser", "travellers/juggler")


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    trunks = sorted(lab.now.ready_ips("wardrobe", app="trunk"))
    with lab.step("the playhouse's dressers open the trunk", nudge="Whom is the trunk there for?") as opened:
        lab.many("playhouse/dresser", "http://trunk.wardrobe:8080/hostname", 5).expect(
            answered_by=lab.pod_names("wardrobe/trunk")
        )

    with lab.step(
        "nobody else opens the trunk", nudge="Which half of the rule let this one in, all by itself?", needs=opened
    ) as closed:
        lab.flows(
            allowed=[("playhouse/dresser", f"{trunk}:8080") for trunk in trunks]
            + [(who, "bell.wardrobe:8080") for who in STRANGERS],
            blocked=[(who, f"{trunk}:8080") for who in STRANGERS for trunk in trunks],
        ).expect()

    with lab.step(
        "that holds for the next Pods as well",
        nudge="Does the rule know people, or the places where they stand today?",
        needs=(opened, closed),
    ):
        lab.successors("playhouse/dresser", "wardrobe/deploy/trunk:8080").expect("allowed")
        for who in (*STRANGERS, "playhouse/cook", "podwalk-control/caller"):
            lab.successors(who, "wardrobe/deploy/trunk:8080").expect("denied")

    with lab.guard("what stands on the Pods and namespaces is as it was", nudge="Who else goes by these labels?"):
        for who in ("playhouse/dresser", *STRANGERS):
            lab.same("Pod", who, "metadata.uid", "metadata.labels")
        for name in ("trunk", "bell"):
            lab.same("Deployment", f"wardrobe/{name}", "metadata.uid", "spec.template")
        for name, house in (("wardrobe", "costumes"), ("playhouse", "playhouse"), ("travellers", "none")):
            lab.value(HouseOf(lab, name), f"kubectl get ns {name} --show-labels").expect(house)


class HouseOf:
    """Asks what a namespace says about the house that it belongs to."""

    def __init__(self, lab: Lab, name: str) -> None:
        self._lab, self._name = lab, name

    def __call__(self) -> str:
        """The label; empty without one."""
        spaces = self._lab.now.objects("Namespace", "")
        labels = {n["metadata"]["name"]: n["metadata"].get("labels", {}) for n in spaces}
        return str(labels.get(self._name, {}).get("house", ""))
