"""callers-cut-off-at-every-release: a Pod must be off the list, and done with its calls, before it gets SIGTERM."""

from podwalk.checks import Lab

CALLERS = "switchboard/callers"
LINE = "switchboard/line"

# Two calls that began more than four seconds apart, of ten callers who call every second.
_SILENCE = (
    '$1 >= t - 2 { if (p && $1 - p > 4) { print "silent for " $1 - p " s"; found = 1; exit } p = $1 } '
    'END { if (!found) print "nobody was silent" }'
)


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("a release has been made", nudge="Which Pods have been there since the beginning?") as released:
        lab.endpoints(LINE).expect(lambda: new_addresses(lab))
        # And none that is still on its way out.
        lab.uids("switchboard/line-*").expect(lambda: since(lab), within="30s")

    with lab.step("the callers went on calling", nudge="Who would have noticed an interruption?", needs=released):
        script = f"{_epoch(lab)} awk -v t=$t '$1 >= t && /answered/' /tmp/calls | head -n 20 | wc -l"
        lab.output(CALLERS, script).expect("20")
        # Callers who are held still during the release cannot be cut off.
        silence = f"{_epoch(lab)} cut -d' ' -f1 /tmp/calls | sort -n | awk -v t=$t '{_SILENCE}'"
        lab.output(CALLERS, silence).expect("nobody was silent")

    with lab.step(
        "the last release has cut off nobody",
        nudge="What was an old Pod doing when it was told to go, and who told it when?",
        needs=released,
    ):
        # A call lasts a second: one that was cut off in this release may have begun a little before it.
        lab.output(CALLERS, f"{_epoch(lab)} awk -v t=$t '$1 >= t - 2' /tmp/lost | wc -l").expect("0")

    with lab.guard("the line is the same program in two Pods", nudge="What is released every Thursday?"):
        lab.same("Deployment", LINE, "metadata.uid", "spec.replicas", "spec.selector")
        lab.same("Service", LINE, "metadata.uid", "spec.clusterIP", "spec.ports", "spec.sessionAffinity")
        lab.endpoints(LINE).expect(lambda: lab.pod_ips(LINE))
        lab.http(CALLERS, "http://line/shell?cmd=true").expect(status=200)

    with lab.guard("the callers are as impatient as ever", nudge="Who will not be taught?"):
        lab.same_pod(CALLERS)
        lab.same("ConfigMap", "switchboard/callers", "data")
        lab.output(CALLERS, "tr '\\0' ' ' < /proc/1/cmdline").expect("sh /callers/talk.sh")
        lab.output(CALLERS, "set -- /tmp/calls /tmp/lost; ls $*; grep -c line /etc/hosts || true").expect(
            "/tmp/calls\n/tmp/lost\n0"
        )


def new_pods(lab: Lab) -> list[dict[str, dict[str, object]]]:
    """The Pods that the Deployment has now and had not at the start."""
    old = {p["metadata"]["uid"] for p in lab.at_start.pods_of(LINE)}
    return [p for p in lab.now.pods_of(LINE) if p["metadata"]["uid"] not in old]


def new_addresses(lab: Lab) -> set[str]:
    """Their addresses."""
    return {str(p["status"].get("podIP")) for p in new_pods(lab)} or {"the addresses of Pods that a release has made"}


def since(lab: Lab) -> dict[str, str]:
    """Their UIDs, by name."""
    return {str(p["metadata"]["name"]): str(p["metadata"]["uid"]) for p in new_pods(lab)}


def _epoch(lab: Lab) -> str:
    """A shell line that sets $t: when the first Pod of the last release was made, in seconds."""
    made = min((str(p["metadata"]["creationTimestamp"]) for p in lab.now.pods_of(LINE)), default="1970-01-01T00:00:00Z")
    return f't=$(date -u -d "{made.replace("T", " ").rstrip("Z")}" +%s);'
