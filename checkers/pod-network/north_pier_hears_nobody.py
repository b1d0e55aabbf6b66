"""north-pier-hears-nobody: a listed BGP peer has the wrong AS number, so that one node has no sessions."""

from podwalk.checks import Lab

_SESSIONS = (
    """birdc show protocols | awk '$2 == "BGP" {n++; if ($6 == "Established") e++} END {print e + 0, "of", n + 0}'"""
)
_LOCAL_AS = "birdc show protocols all | awk '/Local AS:/ {print $3}' | sort -u"
_MESH = "birdc show protocols | grep -c '^Mesh_' || true"
_SHOW = "kubectl -n kube-system get configmap calico-config -o yaml"


def _foreign_numbers(lab: Lab) -> set[str]:
    """The AS numbers of the listed peers that none of the nodes has."""
    data = (lab.now.find("ConfigMap", "kube-system/calico-config") or {}).get("data") or {}
    lines = [line.split("#")[0].split() for line in str(data.get("bgppeers.yaml") or "").splitlines()]
    return {line[1] for line in lines if len(line) > 1 and line[0] == "asNumber:"} - {"64512"}


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    piers = ("radio-south", "radio-north")

    with lab.step("the tower hears both piers", nudge="Does the tower's node know a way to both of them?") as heard:
        both = {name for pier in piers for name in lab.pod_names(f"piers/{pier}")}
        lab.many("piers/tower", "http://radio/hostname", 30).expect(status=200, answered_by=both)

    with lab.step("each node has a session with each other", nudge="Who brings the routes to the others?", needs=heard):
        nodes = [*lab.nodes("control-plane"), *lab.nodes()]
        for node in nodes:
            lab.output(f"node:{node}", _SESSIONS).expect(f"{len(nodes) - 1} of {len(nodes) - 1}")

    with lab.step(
        "the peerings say what the nodes are",
        nudge="Where does a node take its peers from when it is set up anew?",
        needs=heard,
    ):
        lab.value(lambda: _foreign_numbers(lab), _SHOW).expect(set())

    with lab.guard("listed peers, and one number for all nodes", nudge="What did the network people call policy?"):
        for node in (*lab.nodes("control-plane"), *lab.nodes()):
            lab.output(f"node:{node}", _LOCAL_AS).expect("64512")
            lab.output(f"node:{node}", _MESH).expect("0")

    with lab.guard("the radios stand where they stood", nudge="Would you move a pier?"):
        pod = "spec.template.spec"
        for pier in piers:
            lab.same("Deployment", f"piers/{pier}", "metadata.uid", "spec.replicas")
            lab.same("Deployment", f"piers/{pier}", f"{pod}.nodeSelector", f"{pod}.hostNetwork")
        lab.same("Service", "piers/radio", "spec.selector", "spec.internalTrafficPolicy")

    with lab.guard("the tower is the same Pod", nudge="Was it the tower that was deaf?"):
        lab.same_pod("piers/tower")
