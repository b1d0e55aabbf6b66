"""last-years-garden-is-still-open: of two Ingresses that claim one host and path the older has it, in silence."""

from podwalk.checks import Lab

SITE, ARCHIVE = "http://garden.example", "http://archive.garden.example"
HOST = "garden.example"
NEW, OLD, TICKETS = "the garden show of this year", "the garden show of last year", "tickets of this year"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("visitors see this year's show", nudge="Whose answer is it, and which rule led there?") as show:
        for path in ("/", "/roses", "/ticketsellers", "/roses/climbing?year=last"):
            lab.http("outside", SITE + path).expect(body=NEW)

    with lab.step(
        "one Ingress alone claims the name",
        nudge="What happens on the day when either of them is deleted and applied again?",
        needs=show,
    ):
        lab.value(lambda: _claims(lab, "garden-archive"), "kubectl get ingress -A").expect(set())

    with lab.guard("the archive is still open", nudge="What did the repair cost those who come back?"):
        for path in ("/", "/1987/dahlias"):
            lab.http("outside", ARCHIVE + path).expect(body=OLD)

    with lab.guard("tickets are still sold", nudge="What worked before the repair?"):
        lab.http("outside", f"{SITE}/tickets/saturday").expect(body=TICKETS)

    with lab.guard("names of other people are still not found", nudge="Whose requests does the repair answer as well?"):
        lab.http("outside", SITE, headers={"Host": "greenhouse.example"}).expect(status=404)

    with lab.guard("Pods and Services were left alone", nudge="Was any of them asked the wrong question?"):
        for ref in ("garden-archive/catalogue", "garden-show/beds", "garden-show/tickets"):
            lab.same("Service", ref, "metadata.uid", "spec.type", "spec.selector", "spec.ports")
            lab.same("Deployment", ref, "metadata.uid", "spec.replicas", "spec.template.spec.containers")


def _claims(lab: Lab, namespace: str) -> set[str]:
    """The Ingresses of a namespace that claim the host, or all hosts."""
    return {
        f"{namespace}/{ingress['metadata']['name']}"
        for ingress in lab.now.objects("Ingress", namespace)
        for rule in ingress["spec"].get("rules") or [{}]
        if rule.get("host", HOST) == HOST
    }
