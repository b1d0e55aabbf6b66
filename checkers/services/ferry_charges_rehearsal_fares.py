"""ferry-charges-rehearsal-fares: the search list leads a name of the outside to a mock; it must lead outside."""

from podwalk.checks import Lab

BOOTH = "ferry/deploy/booth"
OFFICE = "172.18.1.11"
# The Pod's own resolver, as the booth's program uses it; only the host is taken from the URL.
_RESOLVED = 'h=${FARES_URL#*://}; h=${h%%/*}; getent ahostsv4 "${h%%:*}" | cut -d" " -f1 | sort -u'


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the office of fares in the town answers", nudge="Whose answer is that, by its wording?") as answer:
        lab.output(BOOTH, _RESOLVED).expect(OFFICE)
        seen = lab.node_ip(lab.node_of(BOOTH).removeprefix("node:"))
        lab.many(BOOTH, "$FARES_URL", 10).expect(status=200, body=f"api.outside.test sees you as {seen}")

    with lab.step(
        "it is found by its name",
        nudge="Who tells the booth when the office gets another address?",
        needs=answer,
    ):
        lab.output(BOOTH, 'h=${FARES_URL#*://}; h=${h%%/*}; h=${h%%:*}; echo "${h%.}"').expect("api.outside.test")
        lab.output(BOOTH, "grep -c outside.test /etc/hosts || true").expect("0")

    with lab.step("the ferry finds its own pier as before", nudge="Which names did the search list complete rightly?"):
        lab.many(BOOTH, "http://pier/hostname", 6).expect(status=200, body="pier")
        lab.goes_to(BOOTH, "http://pier").expect("service ferry/pier")

    with lab.guard("the rehearsal goes on, on the whole of its stage", nudge="Who is to play until Saturday?"):
        lab.same("Service", "test/outside", "metadata.uid", "spec.clusterIP", "spec.selector", "spec.ports")
        lab.same_pod("test/actor")
        # The theatre's own call: by the short name of the stage.
        lab.http("test/prompter", "http://api.outside/").expect(body="one island and back: 0.00")
        lab.http("test/prompter", "http://api.outside.test/").expect(body="one island and back: 0.00")

    with lab.guard("the pier was left alone", nudge="Was it the pier that sold tickets for nothing?"):
        lab.same_pod("ferry/pier")
        lab.same("Service", "ferry/pier", "metadata.uid", "spec.clusterIP", "spec.selector")
