"""radio-plays-only-the-jingle: rewrite-target holds for every path of its Ingress; a missing group is empty."""

from podwalk.checks import Lab

SITE = "http://radio.example"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the archive plays what was asked for", nudge="Which path is the archive's Pod asked for?"):
        lab.http("outside", f"{SITE}/archive/hostname").expect(answered_by=lab.pod_names("radio-house/archive"))
        lab.http("outside", f"{SITE}/archive/echo?msg=tape+7").expect(body="tape 7")
        lab.http("outside", f"{SITE}/archive/echo?msg=gone&code=410").expect(status=410, body="gone")

    with lab.step("the front desk plays what was asked for", nudge="What does the annotation make of the path /?"):
        lab.http("outside", f"{SITE}/hostname").expect(answered_by=lab.pod_names("radio-house/front"))
        lab.http("outside", f"{SITE}/echo?msg=hello").expect(body="hello")

    with lab.step(
        "what only begins alike is the front desk's", nudge="Where does the word end, if nothing says that it ends?"
    ):
        lab.http("outside", f"{SITE}/echo?msg=the+front+desk&code=402").expect(status=402)
        # The front desk knows no such page and plays its jingle, with 200; a desk with too wide a path would obey.
        for word in ("archive", "studio"):
            for path in (f"/{word}echo", f"/{word}s/echo", f"/my/{word}/echo"):
                lab.http("outside", f"{SITE}{path}?msg=stray&code=418").expect(status=200)

    with lab.guard("the studio plays on", nudge="What did the repair cost the studio?"):
        lab.http("outside", f"{SITE}/studio/hostname").expect(answered_by=lab.pod_names("radio-house/studio"))
        lab.http("outside", f"{SITE}/studio/echo?msg=good+evening").expect(body="good evening")
        lab.http("outside", f"{SITE}/studio").expect(status=200)

    with lab.guard("the desks were left alone", nudge="Was it the desks that spoke first?"):
        for name in ("front", "studio", "archive"):
            lab.same("Service", f"radio-house/{name}", "metadata.uid", "spec.type", "spec.selector", "spec.ports")
            lab.same("Deployment", f"radio-house/{name}", "metadata.uid", "spec.template.spec.containers")
