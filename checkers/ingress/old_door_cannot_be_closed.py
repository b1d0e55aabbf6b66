"""old-door-cannot-be-closed: the routes of the new door must do what two Ingresses and their annotations do."""

from podwalk.checks import Lab

OLD, NEXT = ("ski.example", "lifts.ski.example"), "next.ski.example"
PLAIN = [("ski.example", "/webcam?cam=2"), ("lifts.ski.example", "/live/hostname")]
# Host, path, and the Deployment that answers.
PAGES = [
    ("ski.example", "/", "home"),
    ("ski.example", "/live/hostname", "home"),
    ("ski.example", "/webcam", "webcam"),
    ("ski.example", "/webcam?cam=2", "webcam"),
    ("ski.example", "/webcam/old", "home"),
    ("ski.example", "/webcams", "home"),
    ("lifts.ski.example", "/live/hostname", "lifts"),
    ("lifts.ski.example", "/live//hostname", "lifts"),
]
# Host, path, status: what is to be had without knowing who answered.
STATUSES = [
    ("lifts.ski.example", "/live", 200),
    ("lifts.ski.example", "/live/echo?msg=powder&code=203", 203),
    ("lifts.ski.example", "/livestock/hostname", 404),
    ("lifts.ski.example", "/", 404),
]


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step(
        "plain HTTP is sent on as at the old door", nudge="Which status and which Location did the old door give?"
    ):
        redirected(lab, NEXT)

    with lab.step(
        "every page comes from the same Pods as at the old door",
        nudge="Which path does the Pod see, at the one door and at the other?",
    ) as pages:
        served(lab, NEXT)

    with lab.step(
        "the new door asks the Services themselves", nudge="What happens when the old door is taken out?", needs=pages
    ):
        show = "kubectl -n resort get httproute -o yaml"
        lab.value(lambda: backends(lab), show).expect({"resort/home", "resort/lifts", "resort/webcam"})
        for name in ("home", "lifts", "webcam"):
            lab.endpoints(f"resort/{name}").expect(lambda name=name: lab.pod_ips(f"resort/{name}"))

    with lab.guard("a host that is not ours is nobody's", nudge="For whom does the new door speak?"):
        for scheme in ("http", "https"):
            asked = {"Host": "bar.example"}
            lab.http("outside", f"{scheme}://{NEXT}/", headers=asked, insecure=True).expect(status=404)

    with lab.guard("the old door serves on", nudge="Has the last resolver heard of the move?"):
        redirected(lab)
        served(lab)
        for name in ("pages", "lifts"):
            lab.same("Ingress", f"resort/{name}", "metadata.uid", "metadata.annotations", "spec")

    with lab.guard("what is behind the doors is as it was", nudge="Was it the site that had to move?"):
        lab.same("Gateway", "resort/next", "metadata.uid", "spec")
        for name in ("home", "lifts", "webcam"):
            lab.same("Deployment", f"resort/{name}", "metadata.uid", "spec.template")
            lab.same("Service", f"resort/{name}", "metadata.uid", "spec.selector", "spec.ports")


def redirected(lab: Lab, door: str = "") -> None:
    """Plain HTTP answers 308 with the same address over HTTPS."""
    for host, path in PLAIN:
        probe = lab.http("outside", f"http://{door or host}{path}", headers={"Host": host})
        probe.expect(status=308, headers={"location": f"https://{host}{path}"})


def served(lab: Lab, door: str = "") -> None:
    """HTTPS shows each page, from the Pods that it belongs to."""
    for host, path, name in PAGES:
        probe = lab.http("outside", f"https://{door or host}{path}", headers={"Host": host}, insecure=True)
        probe.expect(status=200, answered_by=lab.pod_names(f"resort/{name}"))
    for host, path, status in STATUSES:
        lab.http("outside", f"https://{door or host}{path}", headers={"Host": host}, insecure=True).expect(
            status=status
        )


def backends(lab: Lab) -> set[str]:
    """The Services that the routes of the namespace name, as ns/name."""
    rules = [r for route in lab.now.objects("HTTPRoute", "resort") for r in route["spec"].get("rules") or ()]
    refs = [ref for rule in rules for ref in rule.get("backendRefs") or ()]
    return {f"{ref.get('namespace', 'resort')}/{ref['name']}" for ref in refs}
