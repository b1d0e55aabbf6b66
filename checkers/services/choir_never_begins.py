"""choir-never-begins: readiness waits for names that wait for readiness; names must come first, for the choir alone."""

from podwalk.checks import Lab

VOICES = ("voice-0", "voice-1", "voice-2")


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step(
        "each voice finds the others by name", nudge="What does DNS ask of a Pod before it names it?"
    ) as found:
        for voice in VOICES:
            for other in VOICES:
                url = f"http://{other}.score:8080/hostname"
                lab.http(f"choir/{voice}", url).expect(answered_by={other})

    with lab.step("the audience hears all three", nudge="Who decides that a singer may be heard?", needs=found):
        for voice in VOICES:
            lab.field("Pod", f"choir/{voice}", "status.podIP").expect(lambda voice=voice: ready_ip(lab, voice))
        lab.many("choir/audience", "http://concert/hostname", 40).expect(answered_by=set(VOICES))

    with lab.step(
        "a voice that falls ill keeps her name and is not heard",
        nudge="Whose list names everybody, and whose list only those who are ready?",
        needs=found,
    ):
        lab.field("Service", "choir/score", "spec.publishNotReadyAddresses").expect(True)
        lab.field("Service", "choir/concert", "spec.publishNotReadyAddresses").expect(lambda: not_set(lab))
        # A list written by hand would name the voices as well, and no illness would ever reach it.
        lab.uids("choir/*", "EndpointSlice").expect(lambda: controlled(lab))
        lab.output("choir/audience", "grep -c voice /etc/hosts || true").expect("0")

    with lab.guard("the singers are the same", nudge="What did the conductor take seriously, and why?"):
        lab.same(
            "StatefulSet", "choir/voice", "metadata.uid", "spec.serviceName", "spec.template.spec", "spec.replicas"
        )

    with lab.guard("concert is where it was", nudge="By what do the people find the hall?"):
        lab.same("Service", "choir/concert", "spec.type", "spec.clusterIP", "spec.selector", "spec.ports")

    with lab.guard("the audience is in its seats", nudge="Was it the audience that did not begin?"):
        lab.same_pod("choir/audience")


def ready_ip(lab: Lab, voice: str) -> str:
    """The address of a voice if it is Ready; else what it is instead."""
    found = lab.now.find("Pod", f"choir/{voice}") or {}
    address = str((found.get("status") or {}).get("podIP"))
    return address if address in lab.ready_ips("choir", app="voice") else f"{voice} is Ready"


def not_set(lab: Lab) -> bool | None:
    """False where concert says false; otherwise None: the field was left out."""
    spec = (lab.now.find("Service", "choir/concert") or {}).get("spec") or {}
    return False if spec.get("publishNotReadyAddresses") is False else None


def controlled(lab: Lab) -> dict[str, str]:
    """UIDs, by name, of the EndpointSlices that a controller keeps true."""
    slices = [s["metadata"] for s in lab.now.objects("EndpointSlice", "choir")]
    return {str(m["name"]): str(m["uid"]) for m in slices if m.get("ownerReferences")}
