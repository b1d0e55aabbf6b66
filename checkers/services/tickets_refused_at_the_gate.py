"""tickets-refused-at-the-gate: port 80 leads to a port without a listener; it must lead to the desk."""

from podwalk.checks import Lab


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the gate gets an answer", nudge="Who sent the refusal: the gate's node, or a Pod?") as answer:
        lab.http("fair/gate", "http://tickets/").expect(status=200)

    with lab.step(
        "the ticket desk answers thirty scans", nudge="Something answers. Is it what the gate asked for?", needs=answer
    ):
        desks = lab.pod_names("fair/tickets")
        lab.many("fair/gate", "http://tickets/hostname", 30).expect(status=200, answered_by=desks)

    with lab.step("the meter on port 9100 still answers", nudge="Which of the Service's ports was not broken?"):
        lab.http("fair/gate", "http://tickets:9100/").expect(status=200, body="tickets_sold_total")

    with lab.step("the night audit still gets through", nudge="Who else calls these Pods, and on which port?"):
        lab.many("fair/gate", "http://tickets-direct:8080/hostname", 2).expect(status=200)

    with lab.step(
        "the Service sends to the port of the desk",
        nudge="Does the port that the Service sends to outlive these two Pods?",
        needs=answer,
    ):
        lab.finds_new_pods("fair/tickets", "fair/tickets")
        lab.endpoints("fair/tickets", port=80).expect(lambda: lab.pod_ips("fair/tickets", 8080))

    with lab.guard("the Deployment was left alone", nudge="Three signatures: who gave them?"):
        lab.same("Deployment", "fair/tickets", "metadata.uid", "spec.template.spec.containers")

    with lab.guard("tickets kept its name, type and address", nudge="What does the gate know tickets by?"):
        lab.same("Service", "fair/tickets", "spec.type", "spec.clusterIP")

    with lab.guard("the gate is the same Pod", nudge="Was it the gate that needed a repair?"):
        lab.same_pod("fair/gate")
