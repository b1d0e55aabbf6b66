"""large-maps-never-arrive: Pods and tunnel are as large as the wire; what does not fit must be sized, told or cut."""

from podwalk.checks import Lab

_MAP = "http://atlas/shell?cmd=seq+9000"
_PING = "ping -q -c 4 -i 0.2 -W 1 -M dont -s 1472 {address} | grep -o '[0-9]* received'"
# The tunnel knows how much fits onto the wire, and says so to whoever sends more; or it may cut its packets up.
_FITS = (
    "[ $(($(cat /sys/class/net/flannel.1/mtu) + 50)) -le $(cat /sys/class/net/eth0/mtu) ] && echo fits || "
    "ip -d link show flannel.1 | grep -o ' mtu [0-9]*\\|df set' | paste -sd' ' | sed '/df set/!s/.*/fits/'"
)


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("a large map arrives", nudge="How large is the largest packet that gets through?"):
        lab.many("cartography/deploy/reader", _MAP, 5).expect(status=200)

    with lab.step(
        "a large packet of any protocol arrives", nudge="Whom does a datagram ask how large it may be, if nobody tells?"
    ):
        for address in sorted(lab.pod_ips("cartography/atlas")):
            lab.output("cartography/deploy/reader", _PING.format(address=address)).expect("4 received")

    with lab.step(
        "a reader who comes tomorrow gets it too", nudge="Who tells a new Pod, or its node, how much fits through?"
    ):
        for node in lab.nodes():
            lab.output(f"node:{node}", _FITS).expect("fits")

    with lab.guard("everybody stands where they stood", nudge="Was the place too small, or the way?"):
        for name in ("atlas", "reader"):
            lab.same("Deployment", f"cartography/{name}", "metadata.uid", "spec.template.spec.nodeSelector")
            lab.same("Deployment", f"cartography/{name}", "spec.template.spec.hostNetwork")
            lab.same("Deployment", f"cartography/{name}", "spec.template.spec.containers")
        lab.same("Service", "cartography/atlas", "metadata.uid", "spec.selector", "spec.ports")
        lab.same_pod("cartography/sketcher")

    with lab.guard(
        "small sheets still arrive, and the sketcher gets a map", nudge="What did the repair cost the others?"
    ):
        lab.http("cartography/deploy/reader", "http://atlas/hostname").expect(
            answered_by=lab.pod_names("cartography/atlas")
        )
        lab.http("cartography/sketcher", _MAP).expect(status=200)
