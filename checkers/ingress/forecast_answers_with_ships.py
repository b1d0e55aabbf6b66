"""forecast-answers-with-ships: a Prefix compares elements; Exact and ImplementationSpecific compare letters."""

from podwalk.checks import Lab

SITE = "http://harbour.example"
QUAY, SHIPS, TIDES = "the quay", "the register of ships", "the tide tables"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the forecast is the quay's again", nudge="What have /ship and /shipping in common?"):
        for path in ("/shipping", "/shipping/tonight"):
            lab.http("outside", SITE + path).expect(body=QUAY)

    with lab.step("the tide tables are there below their cover", nudge="Which requests does Exact let through?"):
        for path in ("/tide", "/tide/", "/tide/today", "/tide/1962/may"):
            lab.http("outside", SITE + path).expect(body=TIDES)

    with lab.step(
        "what only begins alike is the quay's",
        nudge="Which paths does your rule take that nobody has thought of yet?",
    ):
        for path in ("/", "/tidemark", "/tidemark/1962", "/shipyard", "/ships", "/shipwreck/aurora"):
            lab.http("outside", SITE + path).expect(body=QUAY)

    with lab.guard("each ship keeps its page", nudge="What did the repair cost the ships?"):
        for path in ("/ship", "/ship/", "/ship/aurora", "/ship/aurora/crew"):
            lab.http("outside", SITE + path).expect(body=SHIPS)

    with lab.guard("the applications were left alone", nudge="Who chose the application, before it was asked?"):
        for name in ("quay", "ships", "tides"):
            lab.same("Service", f"harbour-office/{name}", "metadata.uid", "spec.type", "spec.selector", "spec.ports")
            lab.same("Deployment", f"harbour-office/{name}", "metadata.uid", "spec.template.spec.containers")
