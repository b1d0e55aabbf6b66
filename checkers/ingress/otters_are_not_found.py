"""otters-are-not-found: an Ingress without a class is nobody's; it must name the controller that visitors reach."""

from podwalk.checks import Lab

SITE = "http://otters.example"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("visitors see the otters", nudge="Whose 404 is it, and which papers does that one read?") as answer:
        lab.http("outside", f"{SITE}/hostname").expect(status=200, answered_by=lab.pod_names("otter-pool/otters"))

    with lab.step("both otter Pods take their turns", nudge="Who stands behind the Service?", needs=answer):
        pods = lab.pod_names("otter-pool/otters")
        lab.many("outside", f"{SITE}/hostname", 30).expect(status=200, answered_by=pods)

    with lab.step(
        "the Ingress says where it is served", nudge="Who writes the address into an Ingress, and when?", needs=answer
    ):
        where = lab.now.fields("Service", "ingress-nginx/ingress-nginx-controller", "status.loadBalancer.ingress")
        address = [entry["ip"] for entry in where["status.loadBalancer.ingress"]]
        lab.value(lambda: _addresses(lab), "kubectl -n otter-pool get ingress").expect(address)

    with lab.guard("no page is served to hosts that nobody named", nudge="What else does the repair let in?"):
        lab.http("outside", f"{SITE}/hostname", headers={"Host": "sharks.example"}).expect(status=404)

    with lab.guard("the otters stayed behind their Service", nudge="What was wrong with the Service?"):
        lab.same("Service", "otter-pool/otters", "metadata.uid", "spec.type", "spec.selector", "spec.ports")


def _addresses(lab: Lab) -> list[str]:
    """The addresses in the status of every Ingress of the otter pool, once each."""
    found = [i["status"]["loadBalancer"].get("ingress") or [] for i in lab.now.objects("Ingress", "otter-pool")]
    return sorted({entry.get("ip", "") for entries in found for entry in entries})
