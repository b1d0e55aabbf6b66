"""buoys-hear-but-do-not-answer: an init container pins a wrong gateway address; no Pod may be launched with it."""

from podwalk.checks import Lab


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the station hears both buoys", nudge="To whom does the silent buoy send its answer?") as heard:
        lab.many("buoys/station", "http://buoy/hostname", 30).expect(answered_by=lab.pod_names("buoys/buoy"))

    with lab.step("each buoy's own node hears it", nudge="Who is the gateway of a Pod, and who asks from there?"):
        for buoy in sorted(lab.pod_names("buoys/buoy")):
            address = lab.read(f"buoys/{buoy}", "hostname -i")
            lab.http(lab.node_of(f"buoys/{buoy}"), f"http://{address}:8080/hostname").expect(answered_by={buoy})

    with lab.step(
        "each buoy reaches the station at its address",
        nudge="Which frames need the gateway, and which one do they name?",
    ):
        for station in sorted(lab.ready_ips("buoys", app="station")):
            for buoy in sorted(lab.pod_names("buoys/buoy")):
                lab.http(f"buoys/{buoy}", f"http://{station}:8080/hostname").expect(body="station")

    with lab.step(
        "the next buoy will answer as well",
        nudge="What happens to a buoy before it is launched, and who will mend that one?",
        needs=heard,
    ):
        script, containers = "buoys/before-launch", "spec.template.spec.initContainers"
        same_script = lab.now.fields("ConfigMap", script, "data") == lab.at_start.fields("ConfigMap", script, "data")
        before = lab.at_start.fields("Deployment", "buoys/buoy", containers)

        def wanted() -> object:
            now = lab.now.fields("Deployment", "buoys/buoy", containers)
            return now[containers] if now != before or not same_script else "something else than at the start"

        lab.field("Deployment", "buoys/buoy", containers).expect(wanted)

    with lab.guard("one buoy on each worker", nudge="Who takes the weather where no buoy is?"):
        lab.same("Deployment", "buoys/buoy", "metadata.uid", "spec.replicas", "spec.template.spec.affinity")
        lab.same("Deployment", "buoys/buoy", "spec.template.spec.hostNetwork", "spec.template.spec.nodeSelector")
        lab.same(
            "Service", "buoys/buoy", "metadata.uid", "spec.clusterIP", "spec.selector", "spec.internalTrafficPolicy"
        )

    with lab.guard("the station is the same", nudge="Was the station too far away?"):
        lab.same_pod("buoys/station")
