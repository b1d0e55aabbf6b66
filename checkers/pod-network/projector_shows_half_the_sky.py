"""projector-shows-half-the-sky: a rule in the raw table drops UDP 8472 on one node; two other ports must stay shut."""

from podwalk.checks import Lab

# The second datagram fails where the first one brought back "port unreachable": then the port is not shut.
_SHUT = """
for port in 8125 9125; do
  timeout 3 bash -c 'exec 3> /dev/udp/{ip}/$0; echo a >&3; sleep 0.2; echo b >&3' $port 2> /dev/null &&
    echo $port shut
done
true
"""
_DEVICE = "ip -o route get {ip} | grep -o 'dev [^ ]*'"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    halls = ("stars-east", "stars-west")

    with lab.step("the projector shows the whole sky", nudge="What do the calls that hang have in common?") as sky:
        both = {name for hall in halls for name in lab.pod_names(f"planetarium/{hall}")}
        lab.many("planetarium/projector", "http://stars/hostname", 30).expect(status=200, answered_by=both)

    with lab.step("every node reaches both halls", nudge="Whose packets still do not come through?", needs=sky):
        for node in (*lab.nodes("control-plane"), *lab.nodes()):
            for hall in halls:
                for target in lab.pod_ips(f"planetarium/{hall}", 8080):
                    lab.http(f"node:{node}", f"http://{target}/").expect(status=200)

    with lab.step("the overlay carries it", nudge="Which way do the packets take now?", needs=sky):
        for hall in halls:
            for ip in lab.pod_ips(f"planetarium/{hall}"):
                home = lab.node_of(f"planetarium/deploy/{hall}")
                for node in (*lab.nodes("control-plane"), *lab.nodes()):
                    if f"node:{node}" != home:
                        lab.output(f"node:{node}", _DEVICE.format(ip=ip)).expect("dev flannel.1")

    with lab.guard("the ports for metrics are shut", nudge="What will the auditors see when they come again?"):
        for node in lab.nodes():
            lab.output("outside", _SHUT.format(ip=lab.node_ip(node))).expect("8125 shut\n9125 shut")

    with lab.guard("the stars are where their disks are", nudge="Did the stars have to move?"):
        pod = "spec.template.spec"
        for hall in halls:
            lab.same("Deployment", f"planetarium/{hall}", "metadata.uid", "spec.replicas")
            lab.same("Deployment", f"planetarium/{hall}", f"{pod}.nodeSelector", f"{pod}.hostNetwork")
        lab.same("Service", "planetarium/stars", "spec.selector", "spec.internalTrafficPolicy")

    with lab.guard("the projector is the same Pod", nudge="Was it the projector that lost the stars?"):
        lab.same_pod("planetarium/projector")
