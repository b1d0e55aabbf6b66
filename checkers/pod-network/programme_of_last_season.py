"""programme-of-last-season: a leftover namespace has a Pod's address and a route; it must go, not only be dodged."""

from podwalk.checks import Lab

# Within the range of the node's Pods, everything that is not the bridge's.
_STRANGERS = "ip -4 route show table all root {net}.0/24 | grep -vE ' dev cni0 |^(local|broadcast) ' || true"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the box office gets this season's programme", nudge="Who answers, if it is not the Pod?") as answer:
        pods = lab.pod_names("opera/programme")
        lab.many("opera/boxoffice", "http://programme/hostname", 60).expect(answered_by=pods)

    with lab.step("the Pod's own node gets it too", nudge="By which device does the node go to the Pod?"):
        for address in sorted(lab.pod_ips("opera/programme", 8080)):
            pods = lab.pod_names("opera/programme")
            lab.http(f"node:{lab.nodes()[1]}", f"http://{address}/hostname").expect(answered_by=pods)

    with lab.step(
        "no address of the node's range leads to somebody else",
        nudge="Who will be given the haunted address next?",
        needs=answer,
    ):
        # The prompter has not moved: its address tells the range.
        net = min(lab.ready_ips("opera", app="prompter")).rpartition(".")[0]
        lab.output(f"node:{lab.nodes()[1]}", _STRANGERS.format(net=net)).expect("")

    with lab.guard("the prompter still gets it", nudge="What did the repair cost the one who was well?"):
        for address in sorted(lab.pod_ips("opera/programme", 8080)):
            pods = lab.pod_names("opera/programme")
            lab.http("opera/prompter", f"http://{address}/hostname").expect(answered_by=pods)

    with lab.guard("everybody stands where they stood", nudge="Does a ghost mind where the living stand?"):
        lab.same("Deployment", "opera/programme", "metadata.uid", "spec.replicas", "spec.template.spec.nodeSelector")
        lab.same("Deployment", "opera/programme", "spec.template.spec.hostNetwork")
        lab.same("Service", "opera/programme", "metadata.uid", "spec.clusterIP", "spec.selector", "spec.ports")
        lab.same_pod("opera/boxoffice")
        lab.same_pod("opera/prompter")
