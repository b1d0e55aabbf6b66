"""cheese-stall-has-vanished: the namespace was made anew without the label by which the Gateway lets routes in."""

from podwalk.checks import Lab

CHEESE = "http://cheese.market.example/hostname"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("customers find the cheese", nudge="What did the gate say to the stall's route?") as found:
        lab.many("outside", CHEESE, 20).expect(status=200, answered_by=lab.pod_names("cheese/cheese"))

    with lab.step(
        "the stall has its own sign at the gate", nudge="Whose route is it that leads here now?", needs=found
    ):
        show = "kubectl get httproute -A"
        lab.value(lambda: signs(lab), show).expect({"cheese"})

    with lab.step("who owes rent stays outside", nudge="Who else came in with the cheese?", needs=found):
        lab.http("outside", "http://umbrellas.market.example/hostname").expect(status=404)

    with lab.guard("the gate is as the hall made it", nudge="Whose rules are they?"):
        lab.same("Gateway", "markethall/gate", "metadata.uid", "spec")

    with lab.guard("the other stalls are as they were", nudge="What did the neighbours have to do with it?"):
        flowers = lab.pod_names("flowers/flowers")
        lab.http("outside", "http://flowers.market.example/hostname").expect(status=200, answered_by=flowers)
        for name in ("flowers", "umbrellas"):
            lab.same("HTTPRoute", f"{name}/{name}", "spec")
            lab.same("Deployment", f"{name}/{name}", "metadata.uid", "spec.replicas", "spec.template")
            lab.same("Service", f"{name}/{name}", "metadata.uid", "spec.selector")

    with lab.guard("the cheese is the same as ever", nudge="Was it the stall that had changed?"):
        lab.same("Deployment", "cheese/cheese", "metadata.uid", "spec.template")
        lab.same("Service", "cheese/cheese", "metadata.uid", "spec.selector")


def signs(lab: Lab) -> set[str]:
    """The namespaces whose routes are accepted for the name of the cheese."""
    found = set()
    for namespace in lab.facts.namespaces:
        for route in lab.now.objects("HTTPRoute", namespace):
            named = "cheese.market.example" in (route["spec"].get("hostnames") or ())
            parents = (route.get("status") or {}).get("parents") or ()
            accepted = [c["status"] for p in parents for c in p.get("conditions") or () if c["type"] == "Accepted"]
            if named and "True" in accepted:
                found.add(namespace)
    return found
