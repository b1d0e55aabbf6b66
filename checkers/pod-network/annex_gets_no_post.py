"""annex-gets-no-post: a tunnel entry names an address that nobody has; it must name the annex's node, and be used."""

from podwalk.checks import Lab

# Where the kernel sends what is for the annex: the next hop, its hardware address, the house that is said to be in.
_ASK = """hop=$(ip -o route get {net}.250 2>&1 | sed -n 's/.* via \\([0-9.]*\\) dev flannel.1 .*/\\1/p')
mac=$(ip neigh show "${{hop:-none}}" dev flannel.1 2>/dev/null | sed -n 's/.*lladdr \\([0-9a-f:]*\\).*/\\1/p')
dst=$(bridge fdb show dev flannel.1 | sed -n "s/^${{mac:-none}} dst \\([0-9.]*\\).*/\\1/p")
echo "${{dst:-no tunnel: $(ip -o route get {net}.250 2>&1 | head -1)}}" """


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step(
        "the sorter reaches every desk of the annex", nudge="The bags bear an address. Whose is it?"
    ) as reached:
        desks = lab.pod_names("postoffice/annex")
        lab.many("postoffice/sorter", "http://annex/hostname", 30).expect(answered_by=desks)

    with lab.step("every desk reaches the sorter", nudge="Which of a call's two ways begins on the sorter's node?"):
        for desk in sorted(lab.pod_names("postoffice/annex")):
            lab.http(f"postoffice/{desk}", "http://sorter/hostname").expect(body="sorter")

    with lab.step(
        "what is for the annex is sent to its node, through the tunnel",
        nudge="Which nodes does a bag see on its way, and how many would be enough?",
        needs=reached,
    ):
        net = min(lab.pod_ips("postoffice/annex")).rpartition(".")[0]
        asked = lab.output(f"node:{lab.nodes()[0]}", _ASK.format(net=net))
        asked.expect(lab.node_ip(lab.nodes()[1]))

    with lab.guard("everybody stands where they stood", nudge="Who has moved now, and was it the driver's fault?"):
        lab.same("Deployment", "postoffice/annex", "metadata.uid", "spec.replicas", "spec.template.spec.nodeSelector")
        lab.same("Deployment", "postoffice/annex", "spec.template.spec.hostNetwork")
        lab.same("Service", "postoffice/annex", "metadata.uid", "spec.clusterIP", "spec.selector")
        lab.same_pod("postoffice/sorter")
        lab.same_pod("postoffice/counter")

    with lab.guard("the annex's node has the address that it had", nudge="Who else would answer to it one day?"):
        script = "ip -o -4 addr show dev eth0 | wc -l"
        lab.output(f"node:{lab.nodes()[1]}", script).expect("1")
