"""anybody-can-be-the-director: a filter works in its own rule only, and add leaves the caller's header in front."""

from podwalk.checks import Lab

CLAIMS: tuple[dict[str, str], ...] = ({}, {"x-role": "director"}, {"X-ROLE": "staff"})
ASK = "header?key=X-Role"


def check(lab: Lab) -> None:
    """Behaviour first, then guards."""
    with lab.step("who comes through the front door has no role", nudge="Which rule did this request use?"):
        for claim in CLAIMS:
            for path in ("/", "/seats/", "/seats//", "/balcony/../seats/"):
                probe = lab.http("outside", f"http://theatre.example{path}{ASK}", headers=claim)
                probe.expect(status=200, body="")
        answered(lab, "http://theatre.example/hostname", "boxoffice")
        answered(lab, "http://theatre.example/seats/hostname", "seating")

    with lab.step("who comes through the stage door is staff and nothing else", nudge="What if there is one already?"):
        for claim in CLAIMS:
            lab.http("outside", f"http://theatre.example:8080/{ASK}", headers=claim).expect(status=200, body="staff")
            seen = f"curl -q -s --noproxy '*' -m 3 {words(claim)} http://theatre.example:8080/header | tr A-Z a-z"
            lab.output("outside", f"{seen} | grep -o director; true").expect("")
        answered(lab, "http://theatre.example:8080/hostname", "boxoffice")

    with lab.guard("the doors and the house are as they were", nudge="Who had believed the lie, and who had told it?"):
        lab.same("Gateway", "theatre/doors", "metadata.uid", "spec")
        for name in ("boxoffice", "seating"):
            lab.same("Deployment", f"theatre/{name}", "metadata.uid", "spec.template")
            lab.same("Service", f"theatre/{name}", "metadata.uid", "spec.selector")


def answered(lab: Lab, url: str, name: str) -> None:
    """Honest or not, the caller is answered by the same Pods."""
    for claim in CLAIMS:
        pods = lab.pod_names(f"theatre/{name}")
        lab.http("outside", url, headers=claim).expect(status=200, answered_by=pods)


def words(claim: dict[str, str]) -> str:
    """The claim as curl's flags."""
    return " ".join(f"-H '{name}: {value}'" for name, value in claim.items())
