"""bell-cannot-hear-itself: bridge ports without hairpin mode; a Pod must reach itself through its Service."""

from podwalk.checks import Lab

BELL = "belfry/deploy/bell"
# What the runtime would make the next Pod from: the first file of the directory, by name.
NEXT_MODE = r"""
file=$(ls /etc/cni/net.d/*.conf /etc/cni/net.d/*.conflist /etc/cni/net.d/*.json 2>/dev/null | LC_ALL=C sort | head -n 1)
tr -d ' \t\n' <"${file:-/dev/null}" | grep -o '"hairpinMode":[a-z]*'
true
"""


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step(
        "the bell hears itself thirty times in a row",
        nudge="By which port of the bridge would the packet have to leave?",
    ) as heard:
        bells = lab.pod_names("belfry/bell")
        for bell in sorted(bells) or [BELL.removeprefix("belfry/")]:
            lab.many(f"belfry/{bell}", "http://bell/hostname", 30).expect(status=200, answered_by=bells)

    with lab.step("it does so by way of its Service", nudge="Where does the name lead in the Pod?", needs=heard):
        lab.goes_to(BELL, "http://bell/").expect("service belfry/bell")
        lab.finds_new_pods("belfry/bell", "belfry/bell")

    with lab.step(
        "a bell made tomorrow hears itself on either worker",
        nudge="Who sets the mode of a port, from what, and on which machines?",
        needs=heard,
    ):
        for node in lab.nodes():
            lab.output(f"node:{node}", NEXT_MODE).expect('"hairpinMode":true')

    with lab.guard("the sexton still gets his answer", nudge="What did the repair cost the neighbours?"):
        lab.many("belfry/sexton", "http://bell/hostname", 3).expect(status=200)
        lab.same_pod("belfry/sexton")

    with lab.guard("bell kept its name, type and address", nudge="What is engraved in the bell?"):
        lab.same("Service", "belfry/bell", "spec.type", "spec.clusterIP")

    with lab.guard("the bell is still of bronze", nudge="Was it the program that changed on Tuesday?"):
        lab.same("Deployment", "belfry/bell", "metadata.uid", "spec.template.spec.containers")
        lab.same("Deployment", "belfry/bell", "spec.template.spec.hostNetwork")
