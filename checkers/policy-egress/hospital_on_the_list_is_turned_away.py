"""hospital-on-the-list-is-turned-away: the policy names the caller's address, which a node on the way rewrites."""

from podwalk.checks import Lab

HOSPITAL = "172.18.0.1"
STRANGERS = ("172.18.1.20", "172.18.1.33")
FRIDGE = "bloodbank/deploy/fridge"
_ASK = "curl -s -o /dev/null -m 1 --interface {source} -w '{source} %{{http_code}}\n' http://{target}/ || true"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the hospital reads the fridge", nudge="Who turns the hospital away, if the list does not?") as read:
        pods = lab.pod_names("bloodbank/fridge")
        lab.http("outside", "http://fridge.example/hostname").expect(status=200, answered_by=pods)

    with lab.step("the fridge knows who is calling", nudge="Whose address does the fridge see?", needs=read):
        lab.client_ip("outside", "http://fridge.example/clientip").expect(HOSPITAL)

    with lab.step(
        "strangers are turned away", nudge="Who else gets in by the way that the hospital takes?", needs=read
    ):
        lab.output("outside", _asks("fridge.example")).expect(_answers())
        here = lab.node_of(FRIDGE).removeprefix("node:")
        port = next(p["nodePort"] for p in (lab.now.find("Service", "bloodbank/fridge") or {})["spec"]["ports"])
        lab.output("outside", _asks(f"{lab.node_ip(here)}:{port}")).expect(_answers())
        (address,) = lab.pod_ips("bloodbank/fridge", 8080)
        lab.flows(
            allowed=[
                (f"node:{here}", address),
                ("outside", "fridge.example:80"),
                ("bloodbank/cleaner", "172.18.1.10:80"),
            ],
            blocked=[("bloodbank/cleaner", address), ("bloodbank/cleaner", "fridge:80")],
        ).expect()

    with lab.guard("fridge.example kept its address", nudge="What does the hospital's firewall know?"):
        lab.same("Service", "bloodbank/fridge", "metadata.uid", "spec.type", "spec.clusterIP", "status.loadBalancer")

    with lab.guard("the cleaner is the same Pod", nudge="What has the cleaner to do with it?"):
        lab.same_pod("bloodbank/cleaner")


def _asks(target: str) -> str:
    return "; ".join(_ASK.format(source=source, target=target) for source in (HOSPITAL, *STRANGERS))


def _answers() -> str:
    return "\n".join((f"{HOSPITAL} 200", *(f"{stranger} 000" for stranger in STRANGERS)))
