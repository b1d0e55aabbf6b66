"""branch-cannot-find-the-ledger: a short name means one's own namespace; the branch must name the ledger's."""

from podwalk.checks import Lab

BRANCH = "branch/deploy/branch"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the branch gets an answer", nudge="Which names did the resolver really ask for?") as answer:
        lab.http(BRANCH, "$LEDGER_URL/hostname").expect(status=200, within="10s")

    with lab.step(
        "it is the ledger of accounts that answers", nudge="Whose books are these, and for which year?", needs=answer
    ):
        ledgers = lab.pod_names("accounts/ledger")
        lab.many(BRANCH, "$LEDGER_URL/hostname", 30).expect(status=200, answered_by=ledgers)

    with lab.step(
        "the name leads to the Service by itself",
        nudge="What happens here on the day when the ledger gets another address?",
        needs=answer,
    ):
        lab.goes_to(BRANCH, "$LEDGER_URL").expect("service accounts/ledger")

    with lab.guard("the clerk still gets through", nudge="What did the repair cost the others?"):
        lab.http("accounts/clerk", "http://ledger/hostname").expect(status=200)

    with lab.guard("accounts and archive were left alone", nudge="Was it the books that needed a repair?"):
        for namespace in ("accounts", "archive"):
            lab.same("Service", f"{namespace}/ledger", "metadata.uid", "spec.type", "spec.clusterIP", "spec.selector")
            lab.same("Deployment", f"{namespace}/ledger", "metadata.uid", "spec.template.spec.containers")

    with lab.guard("the branch stands where it stood", nudge="What do the auditors insist on?"):
        lab.same("Deployment", "branch/branch", "metadata.uid", "spec.template.spec.hostNetwork")
