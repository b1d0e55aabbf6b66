"""weather-station-talks-to-nobody: an old note in conntrack sends one UDP flow astray; the next packet must be free."""

from podwalk.checks import Lab

STATION = "weather/station"
# Waits for two more reports than there are now, and says who has answered the last one. The station gives an answer
# half a second, so that one that comes late is heard with the next report.
_NEXT = """n=$(cut -d' ' -f1 /tmp/heard); for i in $(seq 40); do read -r m who < /tmp/heard
[ "$m" -ge $((n + 2)) ] && [ "$who" != nobody ] && break; sleep 0.1; done; echo "$who\""""

# One question each from a socket of its own; three, because a datagram may get lost.
_ASK = (
    "for i in 1 2 3; do a=$(timeout 1 bash -c "
    "'exec 3<>/dev/udp/collector/5140; echo hostname >&3; dd bs=512 count=1 <&3' 2> /dev/null); "
    '[ -n "$a" ] && break; done; echo "$a"'
)


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step(
        "the station hears the collector", nudge="Where does the node send the station's packets on?"
    ) as heard:
        collector = next(iter(lab.pod_names("weather/collector")), "a Pod of the Deployment collector")
        lab.output(STATION, _NEXT).expect(collector)

    with lab.step("by way of the Service", nudge="Which address do the other eleven stations know?", needs=heard):
        lab.endpoints("weather/collector").expect(lambda: lab.pod_ips("weather/collector"))
        # No second translation behind the first: the kernel's note itself leads to the collector.
        lab.output(lab.node_of(STATION), note(lab)).expect(lambda: wanted(lab))
        lab.same("Service", "weather/collector", "spec.type", "spec.clusterIP", "spec.ports", "spec.selector")

    with lab.step("the observer hears it as well", nudge="Whom did the repair cost an answer?"):
        lab.output("weather/observer", _ASK).expect(lambda: next(iter(lab.pod_names("weather/collector")), "nobody"))

    with lab.guard("the station has not been started again", nudge="What does the station have in its memory?"):
        lab.same_pod(STATION)
        lab.same("Pod", STATION, "status.containerStatuses")
        lab.same("ConfigMap", "weather/station", "data")
        # The socket of the beginning: its descriptor is as old as the process.
        lab.output(STATION, "tr '\\0' ' ' < /proc/1/cmdline").expect("bash /station/station.sh")


def address(lab: Lab) -> str:
    """The address of the station."""
    found = lab.now.find("Pod", STATION) or {}
    return str((found.get("status") or {}).get("podIP"))


def note(lab: Lab) -> str:
    """A command that prints whom the flows of the station are noted to lead to."""
    return (
        f"conntrack -L -p udp -s {address(lab)} --dport 5140 2>/dev/null | "
        f"grep -o 'src=[0-9.]*' | grep -vx 'src={address(lab)}' | sort -u"
    )


def wanted(lab: Lab) -> str:
    """What that command prints if all of them lead to the collector of now."""
    return "\n".join(f"src={ip}" for ip in sorted(lab.pod_ips("weather/collector")))
