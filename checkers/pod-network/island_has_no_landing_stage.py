"""island-has-no-landing-stage: the learner writes a CNI plugin; judged by packets, and by whether DEL frees."""

from podwalk.checks import Lab

# The program that the first list of the node names first: a file of its own, and no errand boy of a ready-made one.
_OWN = r"""
cd /etc/cni/net.d
list=$(ls *.conf *.conflist *.json 2>/dev/null | LC_ALL=C sort | head -n 1)
type=$(tr -d ' \n\t' < "$list" | sed -E 's/.*"plugins":\[//' |
  grep -o '"type":"[^"]*"' | grep -v host-local | head -n 1 | cut -d'"' -f4)
program=/opt/cni/bin/$type
if [ -L "$program" ] || [ -e "/usr/lib/cni/$type" ]; then
  echo "$type is ready-made"
elif for made in ptp bridge macvlan ipvlan host-device; do cmp -s "$program" /opt/cni/bin/$made && break; done; then
  echo "$type is a copy of a ready-made one"
elif grep -qIE '(/|exec +|delegate +)"?(ptp|bridge|macvlan|ipvlan|host-device)\b' "$program"; then
  echo "$type asks a ready-made one"
else
  echo "its own"
fi
"""


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    island = {f"{lab.parameters['prefix']}.{last}" for last in range(2, 7)}

    with lab.step(
        "three houses have addresses of the island", nudge="What does the event of a house that waits say?"
    ) as wired:
        lab.field("Deployment", "island/house", "status.readyReplicas").expect(3, within="4s")
        lab.value(
            lambda: len(lab.pod_ips("island/house") & island), "kubectl -n island get pod -l app=house -o wide"
        ).expect(3)

    with lab.step(
        "each house reaches each other and the node", nudge="Who has to pass a packet on between them?", needs=wired
    ):
        node = lab.node_of("island/deploy/house")
        houses = {str(p["metadata"]["name"]): str(p["status"]["podIP"]) for p in lab.now.pods_of("island/house")}
        for name, address in houses.items():
            lab.http(node, f"http://{address}:8080/hostname").expect(answered_by={name})
            for other in houses.keys() - {name}:
                lab.http(f"island/{other}", f"http://{address}:8080/hostname").expect(answered_by={name})
                lab.client_ip(f"island/{other}", f"http://{address}:8080/clientip").expect(houses[other])

    with lab.step(
        "six boats have landed, one after the other",
        nudge="How many Pods have had an address so far, and how many have one now?",
        needs=wired,
    ):
        lab.field("Job", "island/crossings", "status.succeeded").expect(6, within="10s")

    with lab.step("the plugin is the island's own", nudge="Whose work is it that does the work?", needs=wired):
        node = lab.node_of("island/deploy/house")
        show = f"podwalk node {node.removeprefix('node:')} -- sh -c 'cat /etc/cni/net.d/*; ls -l /opt/cni/bin'"
        lab.value(lambda: lab.read(node, _OWN), show).expect("its own")

    with lab.guard("houses and boats are what they were", nudge="What did the mayor want to run, and where?"):
        pod = "spec.template.spec"
        lab.same("Deployment", "island/house", "metadata.uid", "spec.replicas")
        lab.same("Deployment", "island/house", f"{pod}.nodeSelector", f"{pod}.hostNetwork")
        lab.same("Job", "island/crossings", "metadata.uid", "spec.completions", "spec.parallelism")
