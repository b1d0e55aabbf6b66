"""museum-has-no-street-door: the Service waits for a load balancer that is not here; this cluster's must serve it."""

from podwalk.checks import Lab

DOOR = "museum/door"
# The classes that the load balancer of this cluster serves.
SERVED = (None, "metallb")


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("visitors from the street get in", nudge="Who is to give the address, and knows of it?") as inside:
        lab.field("Service", DOOR, "status.loadBalancer.ingress").expect(lambda: addressed(lab))
        rooms = lab.pod_names("museum/exhibition")
        lab.many("outside", f"http://{address(lab)}:{lab.parameters['port']}/hostname", 30).expect(answered_by=rooms)

    with lab.step(
        "the door was given by the cluster's load balancer",
        nudge="Who would give door another address, if this one were taken?",
        needs=inside,
    ):
        lab.field("Service", DOOR, "spec.type").expect("LoadBalancer")
        lab.field("Service", DOOR, "spec.loadBalancerClass").expect(lambda: served(lab))
        # Written by hand, it would be a node's address: nothing else on the street answers.
        lab.output("outside", f"echo {address(lab)}").expect(lambda: not_a_node(lab))

    with lab.step("the way through the courtyard still works", nudge="Which address has the guard written down?"):
        lab.same("Service", DOOR, "spec.clusterIP")
        courtyard = (lab.at_start.find("Service", DOOR) or {})["spec"]["clusterIP"]
        for host in ("door", courtyard):
            url = f"http://{host}:{lab.parameters['port']}/hostname"
            lab.many("museum/guard", url, 30).expect(answered_by=lab.pod_names("museum/exhibition"))

    with lab.guard("the exhibition was left alone", nudge="Were the pictures to blame?"):
        lab.same("Deployment", "museum/exhibition", "metadata.uid", "spec.replicas", "spec.template.spec")

    with lab.guard("the guard is the same Pod", nudge="Whose note was not to change?"):
        lab.same_pod("museum/guard")


def ingress(lab: Lab) -> list[dict[str, object]]:
    """What the Service's status says."""
    status = (lab.now.find("Service", DOOR) or {}).get("status") or {}
    return list((status.get("loadBalancer") or {}).get("ingress") or ())


def addressed(lab: Lab) -> object:
    """The status as it is, if there is an address in it."""
    return ingress(lab) if any(i.get("ip") for i in ingress(lab)) else "an address"


def address(lab: Lab) -> str:
    """The first address in the status."""
    return next((str(i["ip"]) for i in ingress(lab) if i.get("ip")), "none")


def served(lab: Lab) -> object:
    """The class as it is, if somebody here serves it."""
    spec = (lab.now.find("Service", DOOR) or {}).get("spec") or {}
    return spec.get("loadBalancerClass") if spec.get("loadBalancerClass") in SERVED else "a class that is served here"


def not_a_node(lab: Lab) -> str:
    """The address as it is, unless it is a node's."""
    nodes = {lab.node_ip(n) for role in ("worker", "control-plane") for n in lab.nodes(role)}
    return "an address of its own" if address(lab) in nodes else address(lab)
