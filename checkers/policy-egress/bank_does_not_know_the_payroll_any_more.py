"""bank-does-not-know-the-payroll-any-more: an egress gateway gives chosen Pods one address towards one destination."""

from podwalk.checks import Lab

BANK = "bank.example"
CLERK, CALENDAR = "payroll/clerk", "payroll/deploy/calendar"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the bank lets both clerks in", nudge="Which address has a clerk at the bank's door?") as inside:
        lab.value(lambda: len(lab.pod_names(CLERK)), "kubectl -n payroll get pod -l app=clerk").expect(2)
        for clerk in sorted(lab.pod_names(CLERK)):
            # A connection that began before the rule keeps its source until it ends, so a fresh one soon.
            lab.http(f"payroll/{clerk}", f"http://{BANK}/", timeout="1s").expect(status=200)

    with lab.step(
        "it sees the address that it gave us", nudge="Will the clerk of tomorrow have that address, too?", needs=inside
    ):
        for clerk in sorted(lab.pod_names(CLERK)):
            seen = f"registry.outside.test sees you as {_address(lab)}"
            lab.many(f"payroll/{clerk}", f"http://{BANK}/", 5).expect(status=200, body=seen)
        lab.value(lambda: _means_the_next(lab), "kubectl get ciliumegressgatewaypolicies -o yaml").expect(True)

    with lab.step(
        "nobody else leaves with that address", nudge="Whom else does your rule take along, and where to?", needs=inside
    ):
        lab.http(CALENDAR, f"http://{BANK}/", timeout="1s").expect_blocked(though="http://example.com/")
        lab.http(CALENDAR, "http://example.com/").expect(body=_seen_as_node(lab, CALENDAR))
        for clerk in sorted(lab.pod_names(CLERK)):
            place = f"payroll/{clerk}"
            lab.http(place, "http://example.com/").expect(body=_seen_as_node(lab, place))
            own = str((lab.now.find("Pod", place) or {})["status"]["podIP"])
            lab.client_ip(place, "http://calendar/clientip").expect(own)

    with lab.guard("the house is as it was", nudge="Was it the clerks' fault?"):
        for name in ("clerk", "calendar"):
            lab.same("Deployment", f"payroll/{name}", "metadata.uid", "spec.replicas", "spec.template")

    with lab.guard("the bank is as it was", nudge="Whose firewall is that?"):
        rule = f"ip saddr != {_address(lab)}"
        lab.output("outside", f"nft list table inet bank | grep -c '{rule}' || true").expect("1")
        lab.output("outside", "nft list table inet bank | grep -c accept || true").expect("1")


def _address(lab: Lab) -> str:
    return f"172.18.0.{lab.parameters['host']}"


def _seen_as_node(lab: Lab, place: str) -> str:
    return f"example.com sees you as {lab.node_ip(lab.node_of(place).removeprefix('node:'))}"


def _means_the_next(lab: Lab) -> bool:
    """Whether some policy selects, by labels alone, the Pods that the Deployment would make next."""
    rules = [
        rule for policy in lab.now.objects("CiliumEgressGatewayPolicy", "") for rule in policy["spec"]["selectors"]
    ]
    return any(lab.means(rule.get("podSelector"), CLERK) for rule in rules)
