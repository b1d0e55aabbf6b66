"""seal-is-read-in-the-street: nobody enforces the policy; the seal must wait where only its own Pod can call."""

from podwalk.checks import Lab

CALLERS = ("courthouse/clerk", "notary/apprentice")
# Ports on which somebody outside of the Pod can connect.
OPEN_PORTS = "netstat -ltn | awk 'NR > 2 && $4 !~ /^(127[.]|::1:)/ {sub(/.*:/, \"\", $4); print $4}' | sort -u"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    port, seal = lab.parameters["port"], lab.parameters["seal"]
    offices = [p["metadata"]["name"] for p in lab.now.pods_of("notary/office")]
    addresses = sorted(lab.now.ready_ips("notary", app="office"))
    url = f"http://127.0.0.1:{port}/seal"
    with lab.step("the desk still gets the seal", nudge="Whom is the seal there for?") as sealed:
        lab.http("notary/deploy/office", url).expect(status=200, body=seal)
        for office in offices:
            lab.http(f"notary/{office}", url).expect(status=200, body=seal)
        lab.many(CALLERS[0], "http://office.notary:8080/hostname", 30).expect(answered_by=set(offices))

    with lab.step(
        "nobody else can even connect to it", nudge="Who on the way reads policies, if anybody does?", needs=sealed
    ) as closed:
        callers = (*CALLERS, *(f"node:{node}" for node in lab.nodes()))
        lab.flows(
            allowed=[("notary/deploy/office", f"127.0.0.1:{port}")]
            + [(who, f"{address}:8080") for who in callers for address in addresses],
            blocked=[(who, f"{address}:{port}") for who in callers for address in addresses],
        ).expect()

    with lab.step("no other door leads to it either", nudge="Where did the seal go?", needs=closed):
        for office in offices:
            lab.output(f"notary/{office}", OPEN_PORTS).expect("8080")
        lab.field("Deployment", "notary/office", "status.updatedReplicas").expect(len(offices))

    with lab.guard("the signed policy is as it was", nudge="Was the policy wrong?"):
        lab.same("NetworkPolicy", "notary/office", "metadata.uid", "spec")

    with lab.guard("the nodes are as the chamber made them", nudge="Who will do this on the node that comes next?"):
        for node in (*lab.nodes("control-plane"), *lab.nodes()):
            # Without the counters, which may stand at any number.
            rules = "iptables-save | sed 's/\\[[0-9:]*\\]//'; nft -s list ruleset"
            lab.output(f"node:{node}", f"({rules}) 2>/dev/null | grep -cw {port} || true").expect("0")

    with lab.guard("the callers are the same Pods", nudge="Who was it that had to change?"):
        for who in CALLERS:
            lab.same_pod(who)
