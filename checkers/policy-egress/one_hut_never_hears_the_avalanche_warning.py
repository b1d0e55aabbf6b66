"""one-hut-never-hears-the-avalanche-warning: a hole in the masquerade rules of one node lets Pod addresses out."""

from podwalk.checks import Lab

NORTH, SOUTH = "alpine/deploy/hut-north", "alpine/deploy/hut-south"
INSTITUTE = "api.outside.test"
OTHERS = ("www.outside.test", "registry.outside.test", "example.com")


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the south hut hears the warning", nudge="Whom does the institute see when this hut asks?") as heard:
        lab.http(SOUTH, f"http://{INSTITUTE}/").expect(status=200, body=_seen(lab, INSTITUTE, SOUTH))

    with lab.step(
        "the outside sees nodes and never a Pod",
        nudge="For which destinations does the node still keep the Pod's address?",
        needs=heard,
    ):
        for name in OTHERS:
            lab.http(SOUTH, f"http://{name}/").expect(status=200, body=_seen(lab, name, SOUTH))
        lab.http(NORTH, f"http://{INSTITUTE}/").expect(status=200, body=_seen(lab, INSTITUTE, NORTH))

    with lab.step(
        "among themselves the huts keep their addresses",
        nudge="Whom does the notice board see now?",
        needs=heard,
    ):
        (south,) = lab.pod_ips("alpine/hut-south")
        lab.client_ip(SOUTH, "http://board/clientip").expect(south)
        (north,) = lab.pod_ips("alpine/hut-north")
        lab.client_ip(NORTH, "http://board/clientip").expect(north)

    with lab.guard("the huts stand where they stood", nudge="Was the mountain at fault?"):
        for hut in ("hut-north", "hut-south"):
            lab.same("Deployment", f"alpine/{hut}", "metadata.uid", "spec.replicas", "spec.template")

    with lab.guard("the institute's network is as it was", nudge="Whose routing table is that?"):
        lab.output("outside", "ip -4 route | grep -c '^10[.]' || true").expect("0")


def _seen(lab: Lab, name: str, hut: str) -> str:
    return f"{name} sees you as {lab.node_ip(lab.node_of(hut).removeprefix('node:'))}"
