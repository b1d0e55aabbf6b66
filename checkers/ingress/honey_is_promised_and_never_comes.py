"""honey-is-promised-and-never-comes: behind an ingress it is the controller that stands at the door of the Pod."""

from podwalk.checks import Lab

SITE = "http://honey.example"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("customers get their honey", nudge="Who stands at the Pod's door, when a customer calls?") as honey:
        pods = lab.pod_names("apiary/honey")
        lab.http("outside", f"{SITE}/hostname", timeout="6s").expect(status=200)
        lab.many("outside", f"{SITE}/hostname", 30).expect(status=200, answered_by=pods)

    with lab.step("the bear does not", nudge="Who else fits the line that you have added?", needs=honey):
        scales, bear = ("apiary/scales", "honey:80"), ("apiary/bear", "honey:80")
        lab.flows(allowed=[scales, ("apiary/bear", "meadow:80")], blocked=[bear]).expect()
        for ip in sorted(lab.pod_ips("apiary/honey")):
            meadow = sorted(lab.pod_ips("apiary/meadow"))[0]
            allowed = [("apiary/scales", f"{ip}:8080"), ("apiary/bear", f"{meadow}:8080")]
            lab.flows(allowed=allowed, blocked=[("apiary/bear", f"{ip}:8080")]).expect()

    with lab.step(
        "the list names guests by what they are",
        nudge="Whose address is that tomorrow, when the Pods have been made anew?",
        needs=honey,
    ):
        lab.value(lambda: _addresses(lab), "kubectl -n apiary get netpol -o yaml").expect(set())
        lab.value(lambda: _selects(lab, "honey"), "kubectl -n apiary get netpol").expect(True)

    with lab.guard("honey is served to nobody in passing", nudge="Is there a way around the list now?"):
        lab.same("Service", "apiary/honey", "metadata.uid", "spec.type", "spec.selector", "spec.ports")
        lab.same("Deployment", "apiary/honey", "metadata.uid", "spec.template.metadata.labels", "spec.template.spec")

    with lab.guard("the bear and the scales are the same", nudge="Was it the bear that had to change?"):
        lab.same_pod("apiary/scales")
        lab.same_pod("apiary/bear")
        lab.labels("apiary/bear").expect(lab.at_start.labels("apiary/bear"))


def _addresses(lab: Lab) -> set[str]:
    """The ranges of the Pod network that the list admits: whoever has such an address today is not known tomorrow."""
    peers = [
        peer
        for policy in lab.now.objects("NetworkPolicy", "apiary")
        for rule in policy["spec"].get("ingress") or []
        for peer in rule.get("from") or [{"ipBlock": {"cidr": "0.0.0.0/0"}}]
    ]
    ranges = {peer["ipBlock"]["cidr"] for peer in peers if "ipBlock" in peer}
    return {r for r in ranges if r.startswith(("10.", "0.0.0.0/0"))}


def _selects(lab: Lab, app: str) -> bool:
    """Whether some policy for incoming traffic means the Pods of this application, and is not gone."""
    for policy in lab.now.objects("NetworkPolicy", "apiary"):
        wanted = policy["spec"].get("podSelector") or {}
        labels = wanted.get("matchLabels") or {}
        if all(key == "app" and value == app for key, value in labels.items()):
            return True
    return False
