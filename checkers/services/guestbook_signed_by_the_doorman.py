"""guestbook-signed-by-the-doorman: callers are masqueraded; each must be seen, and either worker must serve."""

from podwalk.checks import Lab

SERVICE = "embassy/guestbook"
HOSTNAME = "kubernetes.io/hostname"
BY_RULE = "a Pod, by rule"
SHOW_PODS = "kubectl -n embassy get pod -o wide"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step(
        "each visitor is signed by his own address", nudge="Who writes another source into the packet, and what for?"
    ) as signed:
        door = address(lab)
        own = lab.read("outside", f"ip -o route get {door} | sed -n 's/.* src \\([0-9.]*\\).*/\\1/p'")
        # More than once: a Pod on a node's own network sees those whom its own node lets in, and only those.
        calls = (
            f'for i in $(seq 20); do a=$(curl -sm1 http://{door}/clientip) || a="no answer"; echo "${{a%:*}}"; '
            '[ "$a" = "no answer" ] && break; done | sort -u'
        )
        lab.output("outside", calls, timeout="40s").expect(own)

    with lab.step("thirty visitors in a row are let in", nudge="Who stands in the rain, and where?", needs=signed):
        lab.many("outside", f"http://{address(lab)}/hostname", 30).expect(status=200)

    with lab.step(
        "either worker could take the visitors over",
        nudge="What does a worker without a Pod say when it is asked for its health?",
        needs=signed,
    ):
        lab.field("Service", SERVICE, "spec.externalTrafficPolicy").expect("Local")
        port = lab.now.fields("Service", SERVICE, "spec.healthCheckNodePort")["spec.healthCheckNodePort"]
        for node in lab.nodes():
            lab.http("outside", f"http://{lab.node_ip(node)}:{port}/healthz").expect(status=200)

    with lab.step(
        "a rollout tomorrow leaves it so",
        nudge="What keeps the next two Pods from sharing a machine, if not chance?",
        needs=signed,
    ):
        lab.value(lambda: places(lab), SHOW_PODS).expect(dict.fromkeys(lab.nodes(), BY_RULE))

    with lab.guard("guestbook kept its name and its addresses", nudge="Where do the visitors ring?"):
        lab.same("Service", SERVICE, "spec.type", "spec.clusterIP", "status.loadBalancer")

    with lab.guard("the guestbook is the bound one", nudge="Who answers at the door, and with which program?"):
        lab.value(lambda: programs(lab), SHOW_PODS).expect({"agnhost netexec"})


def address(lab: Lab) -> str:
    """Where visitors ring: the address of the load balancer, as it was at the start."""
    balancer = lab.at_start.fields("Service", SERVICE, "status.loadBalancer")["status.loadBalancer"]
    return str(balancer["ingress"][0]["ip"])


def places(lab: Lab) -> dict[str, str]:
    """For each worker, what keeps a Pod of the guestbook there: a preference is not a rule."""
    found = dict.fromkeys(lab.nodes(), "no Pod")
    addresses = lab.now.endpoints(SERVICE)
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    for pod in lab.now.objects("Pod", "embassy"):
        spec, owners = pod["spec"], pod["metadata"].get("ownerReferences") or []
        node, affinity = spec.get("nodeName"), spec.get("affinity") or {}
        if node not in found or (pod.get("status") or {}).get("podIP") not in addresses:
            continue
        tied = HOSTNAME in (spec.get("nodeSelector") or {}) or bool((affinity.get("nodeAffinity") or {}).get(required))
        apart = [
            *((affinity.get("podAntiAffinity") or {}).get(required) or []),
            *(s for s in spec.get("topologySpreadConstraints") or [] if s["whenUnsatisfiable"] == "DoNotSchedule"),
        ]
        daemon = any(owner["kind"] == "DaemonSet" for owner in owners)
        if owners and (daemon or tied or any(term["topologyKey"] == HOSTNAME for term in apart)):
            found[node] = BY_RULE
        elif found[node] != BY_RULE:
            found[node] = "a Pod, by chance or preference"
    return found


def programs(lab: Lab) -> set[str]:
    """What runs in the Pods that answer."""
    found = set()
    addresses = lab.now.endpoints(SERVICE)
    for pod in lab.now.objects("Pod", "embassy"):
        if (pod.get("status") or {}).get("podIP") in addresses:
            container = pod["spec"]["containers"][0]
            image = container["image"].rpartition("/")[2].partition(":")[0]
            found.add(f"{image} {(container.get('args') or ['?'])[0]}")
    return found
