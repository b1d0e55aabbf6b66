"""almanac-never-arrives: a proxy's patience is set per Ingress; one site needs more of it, the other less."""

from podwalk.checks import Lab

ALMANAC, BOARD = "http://almanac.example", "http://board.almanac.example"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the almanac arrives", nudge="Who gave up waiting, and after how long?") as almanac:
        answer = '{"output":"full moon\\n"}'
        lab.http("outside", f"{ALMANAC}/shell?cmd=sleep+3+%26%26+echo+full+moon", timeout="9s").expect(body=answer)

    with lab.step("short questions are answered by both", nudge="How short may an answer be now?", needs=almanac):
        for site, name in ((ALMANAC, "machine"), (BOARD, "noticeboard")):
            lab.many("outside", f"{site}/hostname", 10).expect(answered_by=lab.pod_names(f"almanac/{name}"))
        # A third of a second is within the second that the noticeboard has asked for.
        lab.http("outside", f"{BOARD}/shell?cmd=sleep+0.3+%26%26+echo+soon").expect(body='{"output":"soon\\n"}')

    with lab.step(
        "the noticeboard still gives up after a second", nudge="For whom does the new patience hold?", needs=almanac
    ):
        lab.http("outside", f"{BOARD}/shell?cmd=sleep+5+%26%26+echo+late", timeout="3s").expect(status=504)

    with lab.guard("the machine thinks as it always has", nudge="Was it the machine that was in a hurry?"):
        for name in ("machine", "noticeboard"):
            lab.same("Deployment", f"almanac/{name}", "metadata.uid", "spec.template.spec.containers")
            lab.same("Service", f"almanac/{name}", "metadata.uid", "spec.type", "spec.selector", "spec.ports")
