"""nobody-finds-the-sauna: the route asks a listener that is for other names; it must ask the one for guests."""

from podwalk.checks import Lab

SAUNA = "http://sauna.baths.example/hostname"


def check(lab: Lab) -> None:
    """Behaviour first, then guards."""
    with lab.step("guests reach the sauna by its name", nudge="Which door took the route in, if any?") as answer:
        lab.many("outside", SAUNA, 10).expect(status=200, answered_by=lab.pod_names("baths/sauna"))

    with lab.step("a name of nobody stays nobody's", nudge="For whom does the sauna answer now?", needs=answer):
        lab.http("outside", "http://bar.baths.example/hostname").expect(status=404)

    with lab.guard("the pool is where it was", nudge="What did the sauna take from the pool?"):
        pool = lab.pod_names("baths/pool")
        lab.many("outside", "http://pool.baths.example/hostname", 5).expect(status=200, answered_by=pool)
        lab.same("HTTPRoute", "baths/pool", "spec")

    with lab.guard("the entrance is as the town built it", nudge="Was it the entrance that stood in the wrong place?"):
        lab.same("Gateway", "baths/entrance", "metadata.uid", "spec")

    with lab.guard("the sauna itself was not touched", nudge="Had the sauna ever been asked?"):
        lab.same("Deployment", "baths/sauna", "metadata.uid", "spec.template.spec")
        lab.same("Service", "baths/sauna", "metadata.uid", "spec.selector")
