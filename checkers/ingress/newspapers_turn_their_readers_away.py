"""newspapers-turn-their-readers-away: a node that sends a packet on puts its own address on it; nginx sees the node."""

from podwalk.checks import Lab

SITE = "http://newspapers.example"
DESK, BENCH = "172.18.0.1", ("172.18.1.40", "172.18.1.21")


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the desk reads", nudge="Whom does nginx believe to see?") as desk:
        papers = lab.pod_names("reading-room/newspapers")
        lab.many("outside", f"{SITE}/hostname", 10).expect(status=200, answered_by=papers)

    with lab.step("nobody else reads", nudge="Who else comes with the address that you let in?", needs=desk):
        for address in BENCH:
            script = f"curl -q -s -m 2 --interface {address} -o /dev/null -w '%{{http_code}}' {SITE}/hostname"
            lab.output("outside", script).expect("403")
        lab.http("reading-room/cafe", f"{SITE}/hostname").expect(status=403)
        for node in lab.nodes():
            host = {"Host": "newspapers.example"}
            lab.http(f"node:{node}", f"http://{_door(lab)}/hostname", headers=host).expect(status=403)
        # A header is written by whoever sends it.
        claim = {"X-Forwarded-For": DESK, "X-Real-IP": DESK}
        lab.http("reading-room/cafe", f"{SITE}/hostname", headers=claim).expect(status=403)

    with lab.step(
        "the application is told who reads", nudge="What does nginx write into the header, and from where?", needs=desk
    ):
        for claimed in ({}, {"X-Forwarded-For": BENCH[0]}):
            lab.http("outside", f"{SITE}/header?key=X-Forwarded-For", headers=claimed).expect(body=DESK)

    with lab.guard("the door is open to the rest of the house", nudge="What did the repair cost the others?"):
        lab.http("reading-room/cafe", f"{SITE}/", headers={"Host": "nobody.example"}).expect(status=404)

    with lab.guard("the newspapers and the café were left alone", nudge="Who turned the reader away?"):
        lab.same("Deployment", "reading-room/newspapers", "metadata.uid", "spec.template.spec.containers")
        lab.same("Service", "reading-room/newspapers", "metadata.uid", "spec.type", "spec.selector", "spec.ports")
        lab.same_pod("reading-room/cafe")


def _door(lab: Lab) -> str:
    """The address of the controller's load balancer, for those who do not know the name."""
    path = "status.loadBalancer.ingress"
    return str(lab.now.fields("Service", "ingress-nginx/ingress-nginx-controller", path)[path][0]["ip"])
