"""deeds-show-the-wrong-seal: a listener that does not end TLS takes no HTTPRoute; the deeds need a TLSRoute."""

from podwalk.checks import Lab

DEEDS, SECRET = "deeds.notary.example", "sealroom/deeds-tls"


def check(lab: Lab) -> None:
    """Behaviour first, then guards."""
    with lab.step("whoever asks for the deeds sees their own seal", nudge="By what does the counter choose?") as seal:
        lab.certificate("outside", f"{DEEDS}:443").expect(covers=DEEDS, secret=SECRET)

    with lab.step("the deeds answer, and nobody in between has read along", nudge="Who has opened the letter?"):
        deeds = lab.pod_names("sealroom/deeds")
        lab.many("outside", f"https://{DEEDS}/hostname", 30, ca=SECRET).expect(status=200, answered_by=deeds)

    with lab.step("all other names lead to the wills", nudge="Whose was the rest of the names?", needs=seal):
        wills = lab.pod_names("sealroom/wills")
        for name in ("wills", "codicils"):
            probe = lab.http("outside", f"https://{name}.notary.example/hostname", ca="sealroom/wills-tls")
            probe.expect(status=200, answered_by=wills)
        lab.certificate("outside", "wills.notary.example:443", sni="stamps.notary.example").expect(
            secret="sealroom/wills-tls"
        )

    with lab.guard("the counter has no key", nudge="Who may read a deed?"):
        lab.same("Gateway", "sealroom/counter", "metadata.uid", "spec")

    with lab.guard("the wills and all seals are as they were", nudge="What was wrong with the wills?"):
        lab.same("TLSRoute", "sealroom/wills", "metadata.uid", "spec")
        for name in ("wills", "deeds"):
            lab.same("Certificate", f"sealroom/{name}", "metadata.uid", "spec")
            lab.same("Deployment", f"sealroom/{name}", "metadata.uid", "spec.template")
            lab.same("Service", f"sealroom/{name}", "metadata.uid", "spec.selector", "spec.ports")
