"""apples-pile-up-in-the-lane: a namespace was made anew without the label that a policy asks for."""

from podwalk.checks import Lab

PRESS = "http://press.ciderpress:8080/hostname"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    press = sorted(lab.now.ready_ips("ciderpress", app="press"))
    with lab.step(
        "the orchard brings its apples to the press", nudge="What does the press ask of a caller, besides the Pod?"
    ) as brought:
        lab.many("orchard/cart", PRESS, 10).expect(answered_by=lab.pod_names("ciderpress/press"))

    with lab.step(
        "the meadow still does, and the thieves still do not", nudge="Who else fits through the new gap?", needs=brought
    ):
        lab.flows(
            allowed=[
                *((cart, f"{ip}:8080") for cart in ("orchard/cart", "meadow/cart") for ip in press),
                ("thieves/cart", "tavern.ciderpress:8080"),
                ("ciderpress/deploy/tavern", "tavern.ciderpress:8080"),
            ],
            blocked=[(who, f"{ip}:8080") for who in ("thieves/cart", "ciderpress/deploy/tavern") for ip in press],
        ).expect()

    with lab.step(
        "that holds for the next carts as well", nudge="Does the door know the guild, or today's carts?", needs=brought
    ):
        for namespace, verdict in (("orchard", "allowed"), ("meadow", "allowed"), ("thieves", "denied")):
            lab.successors(f"{namespace}/cart", "ciderpress/deploy/press:8080").expect(verdict)
        # Somebody from a place that nobody here has heard of.
        lab.successors("podwalk-control/caller", "ciderpress/deploy/press:8080").expect("denied")

    with lab.guard("the carts and the press are as they were", nudge="Was it one of these that had changed?"):
        for namespace in ("orchard", "meadow", "thieves"):
            lab.same("Pod", f"{namespace}/cart", "metadata.uid", "metadata.labels")
        for name in ("press", "tavern"):
            lab.same("Deployment", f"ciderpress/{name}", "metadata.uid", "spec.template")

    with lab.guard("the thieves are not in the guild", nudge="To whom did the guild give its sign?"):
        signs = {n["metadata"]["name"]: n["metadata"].get("labels", {}) for n in lab.now.objects("Namespace", "")}
        lab.value(lambda: signs.get("thieves", {}).get("guild"), "kubectl get ns --show-labels").expect(None)
