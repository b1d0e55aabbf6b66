"""one-kettle-of-three-is-silent: a stale /32 on the caller's node wins over the Pod's real place."""

from podwalk.checks import Lab

# Routes to single addresses of Pods: flannel has none.
_SINGLE = r"ip route show table all | grep -cE '^((unicast|blackhole|unreachable) )?10\.244\.[0-9]+\.[0-9]+ ' || true"
_DEVICE = "ip -o route get {ip} | grep -o 'dev [^ ]*'"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    kettles = ("kettle-0", "kettle-1", "kettle-2")

    with lab.step(
        "the brewmaster reaches all three kettles", nudge="Which way does his node send the packets for each of them?"
    ) as reached:
        for kettle in kettles:
            lab.http("brewery/brewmaster", f"http://{kettle}.kettle:8080/hostname").expect(answered_by={kettle})

    with lab.step(
        "whoever gets the address next will be reached",
        nudge="What was it in spring and in summer, and what will it be in autumn?",
        needs=reached,
    ):
        node = lab.node_of("brewery/brewmaster")
        for pod in lab.at_start.named("Pod", "brewery/kettle-*"):
            lab.output(node, _DEVICE.format(ip=pod["status"]["podIP"])).expect("dev flannel.1")
        lab.output(node, _SINGLE).expect("0")

    with lab.guard("the kettles were not started anew", nudge="What happens to the wort?"):
        for kettle in kettles:
            lab.same_pod(f"brewery/{kettle}")

    with lab.guard("the brewmaster is the same Pod", nudge="Was it the brewmaster who was deaf?"):
        lab.same_pod("brewery/brewmaster")
