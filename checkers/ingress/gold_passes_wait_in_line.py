"""gold-passes-wait-in-line: a longer path beats a header, so gold needs a match with that path and the header."""

from podwalk.checks import Lab

SITE = "http://nighttrain.example"
GOLD = {"x-pass": "gold"}
DESKS = ("counter", "berths", "lost", "lounge")


def check(lab: Lab) -> None:
    """Behaviour first, then guards."""
    with lab.step(
        "gold is served by the lounge wherever it asks", nudge="Which match wins there, and by what?"
    ) as gold:
        for path in (
            "/",
            "/timetable",
            "/tickets/7",
            "/berths",
            "/berths/",
            "/berths/12/upper",
            "/berthsmith",
            "/lost/x",
        ):
            served(lab, path, "lounge", GOLD)
        lounge = lab.pod_names("nighttrain/lounge")
        lab.http("outside", f"{SITE}/berths", headers=GOLD, method="POST").expect(status=200, answered_by=lounge)

    with lab.step(
        "everybody else finds the desks as before", nudge="Who else matches what you have written?", needs=gold
    ):
        for path, desk in (
            ("/", "counter"),
            ("/berths", "berths"),
            ("/berths/12/upper", "berths"),
            ("/berthsmith", "counter"),
        ):
            served(lab, path, desk, {})
            served(lab, path, desk, {"x-pass": "silver"})

    with lab.step(
        "lost things are where they always were", nudge="What is at /lost that the lounge has not?", needs=gold
    ):
        served(lab, "/lost", "lost", {})
        served(lab, "/lost", "lost", GOLD)

    with lab.guard("the platform and the desks are as they were", nudge="Did a desk send anybody away?"):
        lab.same("Gateway", "nighttrain/platform", "metadata.uid", "spec")
        for desk in DESKS:
            lab.same("Deployment", f"nighttrain/{desk}", "metadata.uid", "spec.template")
            lab.same("Service", f"nighttrain/{desk}", "metadata.uid", "spec.selector")


def served(lab: Lab, path: str, desk: str, headers: dict[str, str]) -> None:
    """A request from outside is answered by the desk."""
    pods = lab.pod_names(f"nighttrain/{desk}")
    lab.http("outside", SITE + path, headers=headers).expect(status=200, answered_by=pods)
