"""stamps-go-to-the-wrong-drawer: a line of the Corefile renames one Service; DNS must tell the truth about it again."""

from podwalk.checks import Lab

CLERK = "post/clerk"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step(
        "the clerk gets the stamps of the post", nudge="To which address does the clerk's call go?"
    ) as stamps:
        lab.many(CLERK, "http://stamps/hostname", 12).expect(body="stamps-of-post")

    with lab.step(
        "the name leads everybody to the same drawer", nudge="Whom does the attic find by that name?", needs=stamps
    ):
        for place in (CLERK, "attic/stamps"):
            lab.lookup(place, "stamps.post.svc.cluster.local.").expect(lambda: cluster_ip(lab, "post"))
        lab.output(CLERK, "grep -c stamps /etc/hosts || true").expect("0")
        # An address that is written down is right until the Service is made anew.
        lab.output("kube-system/deploy/coredns", "grep stamps /etc/coredns/Corefile || true").expect("")
        lab.http("attic/stamps", "http://stamps.post/hostname").expect(body="stamps-of-post")

    with lab.step("all other names are found as before", nudge="What else does the cluster's DNS have to do?"):
        lab.lookup(CLERK, "stamps.attic.svc.cluster.local.").expect(lambda: cluster_ip(lab, "attic"))
        lab.http(CLERK, "http://stamps.attic/hostname").expect(body="stamps-of-attic")
        lab.http(CLERK, "http://envelopes/hostname").expect(body="stamps-of-post")
        lab.lookup(CLERK, "www.outside.test.").expect({"172.18.1.10"})
        lab.lookup(CLERK, "paperclips.post.svc.cluster.local.").expect({"NXDOMAIN"})

    with lab.guard("the drawers were left alone", nudge="Was anything wrong with a drawer?"):
        for namespace in ("post", "attic"):
            lab.same("Service", f"{namespace}/stamps", "metadata.uid", "spec")
            lab.same_pod(f"{namespace}/stamps")
            lab.endpoints(f"{namespace}/stamps").expect(lambda ns=namespace: lab.ready_ips(ns, app="stamps"))

    with lab.guard("the clerk is the same Pod", nudge="Was it the clerk who mixed them up?"):
        lab.same_pod(CLERK)


def cluster_ip(lab: Lab, namespace: str) -> set[str]:
    """The address of the Service stamps of a namespace."""
    spec = (lab.now.find("Service", f"{namespace}/stamps") or {}).get("spec") or {}
    return {str(spec.get("clusterIP"))}
