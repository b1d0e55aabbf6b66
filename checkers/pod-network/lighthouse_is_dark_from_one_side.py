"""lighthouse-is-dark-from-one-side: a rule discards what is for one node's Pods; its whole range must be reached."""

from podwalk.checks import Lab

# One address of the range that is no Pod's: the range must be reached, not only the Pods of today.
_ASK = """said=$(ip -o route get {net}.250 2>&1)
case "$said" in *" via {net}.0 dev flannel.1 "*|*" via {node} dev "*) echo straight;; *) echo "$said";; esac"""


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the keeper sees both lamps", nudge="On which node was a packet of the keeper seen last?") as seen:
        lab.many("lighthouse/keeper", "http://lamp/hostname", 30).expect(answered_by=lab.pod_names("lighthouse/lamp"))

    with lab.step("the lamps see the keeper", nudge="A call takes two ways. Which of them is lost here?"):
        for lamp in sorted(lab.pod_names("lighthouse/lamp")):
            lab.http(f"lighthouse/{lamp}", "http://keeper/hostname").expect(body="keeper")

    with lab.step(
        "the whole range is reached by the straight way",
        nudge="What does the keeper's node answer when it is asked the way to a lamp that is built tomorrow?",
        needs=seen,
    ):
        lamps = lab.nodes()[1]
        net = min(lab.pod_ips("lighthouse/lamp")).rpartition(".")[0]
        script = _ASK.format(net=net, node=lab.node_ip(lamps))
        lab.output(f"node:{lab.nodes()[0]}", script).expect("straight")

    with lab.guard("everybody stands where they stood", nudge="Who asked for a lighthouse in another place?"):
        lab.same("Deployment", "lighthouse/lamp", "metadata.uid", "spec.template.spec.nodeSelector", "spec.replicas")
        lab.same("Deployment", "lighthouse/lamp", "spec.template.spec.hostNetwork")
        lab.same("Service", "lighthouse/lamp", "metadata.uid", "spec.clusterIP", "spec.selector")
        lab.same_pod("lighthouse/keeper")
        lab.same_pod("lighthouse/pilot")
