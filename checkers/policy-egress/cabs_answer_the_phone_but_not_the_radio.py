"""cabs-answer-the-phone-but-not-the-radio: a port without protocol is TCP, and alone; it must be a range, over UDP."""

from podwalk.checks import Lab

DISPATCH, PASSENGER, CAB = "taxirank/dispatch", "taxirank/passenger", "taxirank/deploy/cab"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    channels = [f"{lab.parameters['hundred']}0{n}" for n in (1, 2, 3, 4)]
    own = f"{lab.parameters['hundred']}05"
    cab = next(iter(sorted(lab.now.ready_ips("taxirank", app="cab"))), "cab")
    dispatch = next(iter(lab.now.ready_ips("taxirank", app="dispatch")), "dispatch")
    with lab.step("all four channels are heard", nudge="What does the radio send, and what did the mechanic?") as heard:
        lab.output(DISPATCH, calling(cab, channels)).expect(" ".join(f"{c}:heard" for c in channels))

    with lab.step("the driver's own channel stays his own", nudge="Where does the range end?", needs=heard):
        lab.output(CAB, calling("127.0.0.1", [own])).expect(f"{own}:heard")
        lab.output(DISPATCH, calling(cab, [channels[0], own])).expect(f"{channels[0]}:heard {own}:TIMEOUT")
        lab.output(PASSENGER, calling(cab, channels)).expect(" ".join(f"{c}:TIMEOUT" for c in channels))

    with lab.step(
        "over TCP there is the phone and nothing else", nudge="What was it that the mechanic found open?", needs=heard
    ):
        lab.flows(
            allowed=[(DISPATCH, f"{cab}:8080"), (PASSENGER, f"{dispatch}:8080")]
            + [(CAB, f"127.0.0.1:{port}") for port in (*channels, own)],
            blocked=[(DISPATCH, f"{cab}:{port}") for port in (*channels, own)] + [(PASSENGER, f"{cab}:8080")],
        ).expect()

    with lab.step("the next cabs are heard as well", nudge="Does the rule know the cabs, or one of them?", needs=heard):
        for channel in channels:
            lab.successors(DISPATCH, f"{CAB}:{channel}/UDP").expect("allowed")
            for who in (PASSENGER, "podwalk-control/caller"):
                lab.successors(who, f"{CAB}:{channel}/UDP").expect("denied")
        for target in (f"{own}/UDP", f"{int(channels[0]) - 1}/UDP", channels[0], own):
            lab.successors(DISPATCH, f"{CAB}:{target}").expect("denied")

    with lab.guard("the cab and its callers are as they were", nudge="Was it the radio that had to be repaired?"):
        lab.same("Deployment", "taxirank/cab", "metadata.uid", "spec.template")
        for who in (DISPATCH, PASSENGER):
            lab.same("Pod", who, "metadata.uid", "metadata.labels")


def calling(address: str, ports: list[str]) -> str:
    """A script that calls these UDP ports, one after the other: ``PORT:heard``, or what came instead."""
    return (
        f"for port in {' '.join(ports)}; do "
        f"said=$(/agnhost connect --protocol=udp --timeout=1s {address}:$port 2>&1) && said=heard; "
        'printf "$port:${said%%[ :]*} "; done'
    )
