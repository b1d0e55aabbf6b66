"""audio-guide-plays-one-room-in-three: a policy knows one of the three addresses that a name stands for."""

from podwalk.checks import Lab

GUIDE = "castle/deploy/guide"
STORIES = ("172.18.1.31:80", "172.18.1.32:80", "172.18.1.33:80")
OTHERS = ("172.18.1.10:80", "172.18.1.11:80", "172.18.1.20:80", "172.18.1.21:80")


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("twelve rooms in a row play at once", nudge="Which address did a slow call try first?") as plays:
        lab.many(GUIDE, "http://cdn.outside.test/", 12).expect(
            status=200, body="cdn.outside.test sees you as " + _node(lab)
        )

    with lab.step(
        "each address of the stories is open to the guide",
        nudge="How many addresses does the name have, and how many does the policy have?",
    ):
        lab.flows(allowed=[(GUIDE, story) for story in STORIES], blocked=[]).expect()

    with lab.step(
        "the guide still reaches nobody else", nudge="Whom did the policy keep away from the visitors?", needs=plays
    ):
        allowed = [(GUIDE, story) for story in STORIES[:1]]
        lab.flows(allowed=allowed, blocked=[(GUIDE, other) for other in OTHERS]).expect()

    with lab.guard("the guide is made as before", nudge="Was it the guide that needed a repair?"):
        lab.same("Deployment", "castle/guide", "spec.replicas", "spec.template")


def _node(lab: Lab) -> str:
    return lab.node_ip(lab.node_of(GUIDE).removeprefix("node:"))
