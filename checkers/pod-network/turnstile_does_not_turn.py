"""turnstile-does-not-turn: a foreign table drops what iptables and the policy let through; only that rule must go."""

from podwalk.checks import Lab


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    port = lab.parameters["port"]
    with lab.step("the visitor gets through both gates", nudge="Who else may filter on a node?") as through:
        lab.many("stadium/visitor", "http://gate/hostname", 30).expect(answered_by=lab.pod_names("stadium/gate"))

    with lab.step(
        "the stewards still may look and not turn", nudge="Which of the rules on this node were right?", needs=through
    ):
        gates = sorted(lab.pod_ips("stadium/gate"))
        lab.flows(
            allowed=[(f"stadium/{who}", f"{gate}:8080") for who in ("visitor", "steward") for gate in gates]
            + [("stadium/visitor", f"{gate}:{port}") for gate in gates],
            blocked=[("stadium/steward", f"{gate}:{port}") for gate in gates],
        ).expect()

    with lab.step(
        "where the third gate is being built the way is open",
        nudge="Whom does the rule mean: the gates of today, or everybody on a port?",
        needs=through,
    ):
        for site in sorted(lab.ready_ips("stadium", app="site")):
            lab.connect("stadium/visitor", f"{site}:{port}").expect("refused")

    with lab.guard("the rest of the auditors' rules stands", nudge="Which rule did the gates complain about?"):
        script = "nft list table inet baseline 2>&1 | grep -c 'dport.* 23, .*drop' || true"
        lab.output(f"node:{lab.nodes()[1]}", script).expect("1")

    with lab.guard("the policy and the gates are as they were", nudge="Was it the policy that dropped the ticket?"):
        lab.same("NetworkPolicy", "stadium/gate", "metadata.uid", "spec")
        lab.same("Deployment", "stadium/gate", "metadata.uid", "spec.template.spec", "spec.template.metadata.labels")
        lab.same("Service", "stadium/gate", "metadata.uid", "spec.clusterIP", "spec.selector", "spec.ports")
        for name in ("visitor", "steward", "site"):
            lab.same("Pod", f"stadium/{name}", "metadata.uid", "metadata.labels")
