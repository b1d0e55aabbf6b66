"""menu-refuses-everyone: the Service selects nobody; it must find the menu Pods, now and later."""

from podwalk.checks import Lab


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the till gets an answer", nudge="Who refused the call, if no Pod ever saw it?") as answer:
        lab.http("canteen/till", "http://menu/hostname").expect(status=200)

    with lab.step(
        "the menu Pods take turns in thirty calls",
        nudge="Who else answers to the labels that the Service asks for?",
        needs=answer,
    ):
        pods = lab.pod_names("canteen/menu")
        lab.many("canteen/till", "http://menu/hostname", 30).expect(status=200, answered_by=pods)

    with lab.step(
        "a Pod made tomorrow is found as well",
        nudge="What will the next Pod look like, and who writes the list of addresses then?",
        needs=answer,
    ):
        lab.finds_new_pods("canteen/menu", "canteen/menu")
        lab.endpoints("canteen/menu").expect(lambda: lab.pod_ips("canteen/menu"))

    with lab.guard("menu kept its name, type and address", nudge="What did the screens know menu by?"):
        lab.same("Service", "canteen/menu", "spec.type", "spec.clusterIP")

    with lab.guard("the printer still prints", nudge="Whose calls was the printer waiting for?"):
        lab.same("Deployment", "canteen/printer", "metadata.uid", "spec.replicas", "spec.template.metadata.labels")

    with lab.guard("the till is the same Pod", nudge="Was it the till that needed a repair?"):
        lab.same_pod("canteen/till")
