"""everybody-presses-the-button-at-once: an annotation that nobody knows limits nothing, and nobody complains."""

from podwalk.checks import Lab

SITE = "http://prizes.example"
PRESSES, BURST, A_SECOND = 100, 40, 6
FLOODS = 2
HELD_BACK = f"a burst of {BURST} at most and then five a second, all others refused"
CURL = "curl -q -s -m 10 -o /dev/null -w '%{http_code}\\n'"
SLOWLY = f"for press in 1 2 3 4; do sleep 0.5; {CURL} {SITE}/; done"
HURRY = f"date +%s%N; {CURL} '{SITE}/?press=[1-{PRESSES}]'; date +%s%N"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("a visitor gets a prize", nudge="Who is refused now, and would you have refused them?") as visitor:
        lab.http("outside", f"{SITE}/hostname").expect(status=200, answered_by=lab.pod_names("fun-fair/prizes"))

    with lab.step("a flood is held back", nudge="Who reads that annotation, and does what?", needs=visitor) as flood:
        seen: list[str] = []
        lab.value(lambda: _floods(lab, seen), f"podwalk outside -- curl -s '{SITE}/?press=[1-{PRESSES}]'").expect(
            HELD_BACK
        )

    with lab.step(
        "who presses slowly gets through even after it",
        nudge="How long is somebody shut out, who has pressed too often?",
        needs=flood,
    ):
        lab.output("outside", SLOWLY).expect("200\n200\n200\n200")

    with lab.guard("the prizes were left alone", nudge="Was it the prizes that let everybody in?"):
        lab.same("Deployment", "fun-fair/prizes", "metadata.uid", "spec.replicas", "spec.template.spec")
        lab.same("Service", "fun-fair/prizes", "metadata.uid", "spec.type", "spec.selector", "spec.ports")


def _floods(lab: Lab, seen: list[str]) -> str:
    """What a flood came to; two at most and a second apart, or they would use up the largest burst between them."""
    if len(seen) < FLOODS:
        if seen:
            lab.read("outside", "sleep 1")
        seen.append(_flood(lab))
    return seen[-1]


def _flood(lab: Lab) -> str:
    """Many requests in a row on one connection: held back, or how many got through in which time."""
    began, *codes, ended = lab.read("outside", HURRY, timeout="60s").splitlines()
    # On a busy machine the hurry takes its time, in which five a second may pass.
    through, seconds = codes.count("200"), (int(ended) - int(began)) / 1e9
    refused = codes.count("503") + codes.count("429")
    if through == PRESSES <= BURST + A_SECOND * seconds:
        lab.could_not_tell(f"{PRESSES} presses took {seconds:.0f} s: that is no flood, and any limit lets it through")
    # None at all is as well held back: a flood before this one may have used the burst up.
    if through <= BURST + A_SECOND * seconds and through + refused == PRESSES:
        return HELD_BACK
    return f"{through} of {PRESSES} got through in {seconds:.1f} s, {refused} were refused"
