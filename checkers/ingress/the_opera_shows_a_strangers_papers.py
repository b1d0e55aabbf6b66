"""the-opera-shows-a-strangers-papers: the Secret is in another namespace, and one name stands in no tls entry."""

from podwalk.checks import Lab

NAMES = ("opera.example", "www.opera.example")
ROOTS = "http://acme.outside.test/roots.pem"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step(
        "both names show papers of their own", nudge="Whose papers does a name get that no paper is found for?"
    ) as papers:
        for name in NAMES:
            visit = f"curl -sm3 {ROOTS} | curl -sm5 --cacert /dev/stdin https://{name}/hostname; true"
            lab.output("outside", visit, timeout="12s").expect(
                lambda: one(set(lab.pod_names("opera-house/stage"))), within="8s"
            )
            lab.certificate("outside", f"{name}:443").expect(covers=name, valid_for="60m")

    with lab.step(
        "the papers are renewed where they are used",
        nudge="When the papers run out, who makes new ones, and where does he put them?",
        needs=papers,
    ):
        lab.value(lambda: _kept_fresh(lab), "kubectl -n opera-house get ingress,certificate -o yaml").expect(set(NAMES))

    with lab.guard("both names lead to the stage", nudge="What did each name lead to before?"):
        for name in NAMES:
            lab.http("outside", f"https://{name}/hostname", insecure=True).expect(
                status=200, answered_by=lab.pod_names("opera-house/stage")
            )

    with lab.guard("the stage, the guild and the office were left alone", nudge="Was any of them in the wrong?"):
        lab.same("Deployment", "opera-house/stage", "metadata.uid", "spec.replicas", "spec.template.metadata.labels")
        lab.same("Service", "opera-house/stage", "metadata.uid", "spec.selector", "spec.ports")
        for house in ("opera-house", "opera-office"):
            lab.same("Issuer", f"{house}/guild", "metadata.uid", "spec")
        lab.same("Certificate", "opera-office/opera", "metadata.uid", "spec")


def one(names: set[str]) -> str:
    """The only name of a set, or all of them in a line."""
    return " ".join(sorted(names))


def _kept_fresh(lab: Lab) -> set[str]:
    """The names whose Secret, by the Ingresses of the opera, is written by a ready Certificate of the guild there."""
    made = {
        c["spec"]["secretName"]: c["spec"].get("dnsNames") or ()
        for c in lab.now.objects("Certificate", "opera-house")
        if c["spec"]["issuerRef"]["name"] == "guild"
        and any(x["type"] == "Ready" and x["status"] == "True" for x in (c.get("status") or {}).get("conditions") or ())
    }
    return {
        host
        for ingress in lab.now.objects("Ingress", "opera-house")
        for tls in ingress["spec"].get("tls") or ()
        for host in tls.get("hosts") or ()
        if host in made.get(tls.get("secretName"), ())
    }
