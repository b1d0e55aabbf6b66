"""agency-prints-our-news-first: a connection older than the policy lives on; it must end, at one of its ends."""

from podwalk.checks import Lab

DESK, STRINGER = "newsroom/desk", "agency/stringer"
FIRST_WORD = "curl -sNm2 http://wire:7070/cgi-bin/news | head -n 1 | cut -d' ' -f1"
# Five pieces of news come a second.
SINCE = "a=$(cat /tmp/heard); sleep 4; b=$(cat /tmp/heard); [ $a = $b ] && echo silence || echo news"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    wires = sorted(lab.now.ready_ips("newsroom", app="wire"))
    kiosk = next(iter(lab.now.ready_ips("newsroom", app="kiosk")), "kiosk")
    with lab.step("the desk still gets the news", nudge="Whom is the wire there for?") as heard:
        lab.goes_to(DESK, "http://wire:7070").expect("service newsroom/wire")
        lab.many(DESK, "http://wire:7070/hostname", 5).expect(answered_by=lab.pod_names("newsroom/wire"))
        lab.output(DESK, FIRST_WORD).expect("news")

    with lab.step(
        "the agency hears nothing any more", nudge="Which of the agency's packets was the first one?", needs=heard
    ):
        lab.output(STRINGER, SINCE, timeout="15s").expect("silence")

    with lab.step(
        "a new call of the agency's is not answered", nudge="When the agency calls again, who is asked?", needs=heard
    ):
        lab.flows(
            allowed=[(STRINGER, f"{kiosk}:7070"), *((DESK, f"{wire}:7070") for wire in wires)],
            blocked=[(STRINGER, f"{wire}:7070") for wire in wires],
        ).expect()
        for who in (STRINGER, "newsroom/kiosk", "podwalk-control/caller"):
            lab.successors(who, "newsroom/deploy/wire:7070").expect("denied")
        lab.successors(DESK, "newsroom/deploy/wire:7070").expect("allowed")

    with lab.guard("the agency's Pod and the desk were left alone", nudge="Whose Pod is it?"):
        lab.same_pod(STRINGER)
        lab.same_pod(DESK)
        lab.same("Pod", DESK, "metadata.labels")

    with lab.guard("nothing was left behind on the nodes", nudge="Who will remember what this rule was for?"):
        for node in lab.nodes():
            lab.output(f"node:{node}", "iptables -S FORWARD | grep -c 7070 || true").expect("0")

    with lab.guard("the wire kept its name and its port", nudge="What does the desk know the wire by?"):
        lab.same("Service", "newsroom/wire", "metadata.uid", "spec.clusterIP", "spec.selector", "spec.ports")
        lab.same("Deployment", "newsroom/wire", "metadata.uid", "spec.template.spec")
