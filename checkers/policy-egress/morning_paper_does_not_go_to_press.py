"""morning-paper-does-not-go-to-press: an Admin policy overrules a namespace; the exception is Pass, not Accept."""

from podwalk.checks import Lab

EDITOR, INTERN = "gazette-editors/deploy/editor", "gazette-editors/deploy/intern"
VISITOR, MACHINIST = "gazette-lobby/deploy/visitor", "gazette-press/deploy/machinist"
PRINT, ROLLERS = "press.gazette-press:80", "press.gazette-press:9090"
BOARD, LIBRARY = "noticeboard.gazette-lobby:80", "library.gazette-editors:80"
PRESS = "gazette-press/deploy/press"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the editor's page is printed", nudge="Who has the last word on this packet?") as printed:
        pods = lab.pod_names("gazette-press/press")
        lab.http(EDITOR, "http://press.gazette-press/hostname").expect(status=200, answered_by=pods)
        lab.successors(EDITOR, f"{PRESS}:8080").expect("allowed")

    with lab.step(
        "the press still decides who prints and who turns the rollers",
        nudge="Is Feng's policy asked at all, for everybody whom the house lets through?",
        needs=printed,
    ):
        lab.flows(
            allowed=[(EDITOR, PRINT), (MACHINIST, ROLLERS), (INTERN, BOARD)],
            blocked=[(INTERN, PRINT), (EDITOR, ROLLERS), (INTERN, ROLLERS)],
        ).expect()
        lab.successors(INTERN, f"{PRESS}:8080").expect("denied")

    with lab.step("the lobby stays outside", nudge="What did the visitor wear on Tuesday?", needs=printed):
        lab.flows(
            allowed=[(EDITOR, PRINT), (VISITOR, BOARD), (EDITOR, BOARD), (MACHINIST, ROLLERS)],
            blocked=[(VISITOR, PRINT), (VISITOR, ROLLERS), (VISITOR, LIBRARY), (EDITOR, LIBRARY)],
        ).expect()
        lab.successors(VISITOR, f"{PRESS}:8080").expect("denied")

    with lab.guard("Feng's policy is as he wrote it", nudge="Whose policy is that?"):
        lab.same("NetworkPolicy", "gazette-press/who-may-print", "spec")
        own = lab.at_start.labels("gazette-press/*", "NetworkPolicy")
        lab.labels("gazette-press/*", "NetworkPolicy").expect(own)

    with lab.guard("everybody wears what he wore", nudge="Who hands out badges here?"):
        for ref in ("gazette-editors/editor", "gazette-editors/intern", "gazette-lobby/visitor", "gazette-press/press"):
            lab.same("Deployment", ref, "metadata.uid", "spec.replicas", "spec.template")
