"""new-seedlings-stay-dry: a comma is missing in a node's CNI list, so that the runtime has no network."""

from podwalk.checks import Lab

# The plugins of the list that counts: the first of the folder that can be read. A number and then a name, with no comma
# between them, cannot. An IPAM plugin stands inside of another.
_PLUGINS = r"""
cd /etc/cni/net.d
for file in $(ls *.conf *.conflist *.json 2>/dev/null | LC_ALL=C sort); do
  tr -d ' \n\t' < "$file" | grep -q '[0-9]"[a-z]' && continue
  tr -d ' \n\t' < "$file" | grep -o '"type":"[^"]*"' | cut -d'"' -f4 | LC_ALL=C sort | tr '\n' ' '
  break
done
"""


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("three sprinklers are ready", nudge="What does the node say of itself, and who told it so?") as ready:
        lab.field("Deployment", "greenhouse/sprinkler", "status.readyReplicas").expect(3, within="6s")

    with lab.step(
        "the office reaches each of them", nudge="From whose range are the addresses that they got?", needs=ready
    ):
        sprinklers = lab.pod_names("greenhouse/sprinkler")
        lab.many("greenhouse/office", "http://sprinkler/hostname", 60).expect(answered_by=sprinklers)

    with lab.step(
        "nothing is missing in the node's network list",
        nudge="Which wishes of a Pod did the list grant before, beside an address?",
        needs=ready,
    ):
        node, neighbour = lab.node_of("greenhouse/deploy/sprinkler"), lab.node_of("greenhouse/office")
        show = f"podwalk node {node.removeprefix('node:')} -- sh -c 'cat /etc/cni/net.d/*'"
        lab.value(lambda: lab.read(node, _PLUGINS), show).expect(lab.read(neighbour, _PLUGINS))

    with lab.guard("three sprinklers are asked for, in bed two", nudge="Where are the seedlings?"):
        lab.same("Deployment", "greenhouse/sprinkler", "metadata.uid", "spec.replicas")
        pod = "spec.template.spec"
        paths = (f"{pod}.{path}" for path in ("nodeSelector", "hostNetwork", "tolerations", "containers"))
        lab.same("Deployment", "greenhouse/sprinkler", *paths)

    with lab.guard("the office is the same Pod", nudge="Was it the office that stayed dry?"):
        lab.same_pod("greenhouse/office")
