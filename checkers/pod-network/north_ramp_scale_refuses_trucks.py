"""north-ramp-scale-refuses-trucks: the node's CNI list lacks portmap, so that a hostPort is only written down."""

from podwalk.checks import Lab

# The first list of the folder is the one that counts, as for the runtime.
_LIST = r"""
cd /etc/cni/net.d
cat "$(ls *.conf *.conflist *.json 2>/dev/null | LC_ALL=C sort | head -n 1)" |
  tr -d ' \n\t' | grep -q '"type":"portmap"' && echo "portmap is in the list" || echo "no portmap in the list"
"""
_RULE = """
iptables -t nat -S CNI-HOSTPORT-DNAT 2>/dev/null | grep -qw {port} &&
  echo the port has its rule || echo the port has no rule
"""
_BY_HAND = "iptables -t nat -S PREROUTING | grep -c -e '-j DNAT' || true"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    port = lab.parameters["port"]

    with lab.step("trucks at the north ramp get an answer", nudge="Who on the node should know this port?") as answer:
        north, south = lab.nodes()[:2]
        url = f"http://{lab.node_ip(north)}:{port}/hostname"
        lab.many("outside", url, 10).expect(status=200, answered_by=lab.pod_names("quarry/north"))

    with lab.step(
        "the scale of tomorrow is found on its port as well",
        nudge="Who will lead the trucks to the next Pod, when you are not there?",
        needs=answer,
    ):
        show = f"podwalk node {north} -- sh -c 'cat /etc/cni/net.d/*'"
        lab.value(lambda: lab.read(f"node:{north}", _LIST), show).expect("portmap is in the list")
        show = f"podwalk node {north} -- iptables -t nat -S CNI-HOSTPORT-DNAT"
        lab.value(lambda: lab.read(f"node:{north}", _RULE.format(port=port)), show).expect("the port has its rule")
        lab.output(f"node:{north}", _BY_HAND).expect("0")

    with lab.guard("the certified Deployments are as they were", nudge="What did the inspector sign?"):
        for name in ("north", "south"):
            spec = ("containers", "hostNetwork", "nodeSelector")
            lab.same("Deployment", f"quarry/{name}", "metadata.uid", *(f"spec.template.spec.{s}" for s in spec))

    with lab.guard("the south ramp weighs on", nudge="What did the repair cost the other ramp?"):
        url = f"http://{lab.node_ip(south)}:{port}/hostname"
        lab.http("outside", url).expect(status=200, answered_by=lab.pod_names("quarry/south"))
