"""eclipses-are-never-finished: of a rule's two timeouts the shorter one ends the request; it must leave enough time."""

from podwalk.checks import Lab

SITE = "http://ephemeris.example"
WATCH = "curl -q -s --noproxy '*' -m 6 -o /dev/null -w '%{http_code} %{time_total}'"


def check(lab: Lab) -> None:
    """Behaviour first, then guards."""
    with lab.step("eclipses are calculated to the end", nudge="Whose clock rings after a second?") as eclipses:
        # One first: it is short enough to be asked again, should the gateway only just be learning the new rule.
        lab.http("outside", f"{SITE}/eclipses", timeout="5s").expect(status=200, answered_by=answers(lab))
        lab.many("outside", f"{SITE}/eclipses", 3, timeout="5s").expect(status=200, answered_by=answers(lab))

    with lab.step(
        "nobody waits for a calculation without an end", nudge="Until when does one wait for a comet?", needs=eclipses
    ):
        lab.value(lambda: verdict(lab, "/comets", 4), shown("/comets")).expect("504 within 4 s")
        show = "kubectl -n ephemeris get httproute -o yaml"
        lab.value(lambda: limits(lab, "/eclipses"), show).expect("at most 3 s")

    with lab.step("what is stuck elsewhere is told at once", nudge="How long do the others wait now?", needs=eclipses):
        lab.value(lambda: verdict(lab, "/sextant", 2), shown("/sextant")).expect("504 within 2 s")
        lab.http("outside", f"{SITE}/hostname").expect(status=200, answered_by=lab.pod_names("ephemeris/tables"))

    with lab.guard("the Pods calculate as before", nudge="Was it the Pod that gave up?"):
        lab.same("Gateway", "ephemeris/desk", "metadata.uid", "spec")
        for name in ("tables", "eclipses", "comets", "sextant"):
            lab.same("Deployment", f"ephemeris/{name}", "metadata.uid", "spec.template")
            lab.same("Service", f"ephemeris/{name}", "metadata.uid", "spec.selector", "spec.ports")


def answers(lab: Lab) -> set[str]:
    """What each Pod of the eclipses says when it has finished: its name, as agnhost's /shell wraps it."""
    return {f'{{"output":"{name}\\n"}}' for name in lab.pod_names("ephemeris/eclipses")}


def verdict(lab: Lab, path: str, limit: int) -> str:
    """The status of one request, and whether it came within the limit."""
    status, _, spent = lab.read("outside", f"{WATCH} {SITE}{path}; true", timeout="15s").partition(" ")
    soon = float(spent or 99) < limit
    return f"{status} within {limit} s" if soon else f"{status} after {float(spent or 99):.1f} s"


def limits(lab: Lab, path: str) -> str:
    """How long the rules for a path let one wait: the shorter of their two limits, where there is one."""
    waits = []
    for route in lab.now.objects("HTTPRoute", "ephemeris"):
        for rule in route["spec"].get("rules") or ():
            paths = [(match.get("path") or {}).get("value", "/") for match in rule.get("matches") or ()]
            if any(value.startswith(path) for value in paths):
                spans = [seconds(text) for text in (rule.get("timeouts") or {}).values()]
                waits.append(min((s for s in spans if s), default=0))
    return "at most 3 s" if waits and all(0 < wait <= 3 for wait in waits) else "longer than 3 s, or for ever"


def seconds(text: str) -> float:
    """A duration of the Gateway API (1m30s, 500ms) in seconds."""
    total, digits = 0.0, ""
    for char in text.replace("ms", "x"):
        if char.isdigit():
            digits += char
        else:
            total, digits = total + int(digits or 0) * {"x": 0.001, "s": 1, "m": 60, "h": 3600}[char], ""
    return total


def shown(path: str) -> str:
    """The command that shows it."""
    return f"podwalk outside -- curl -sm9 -o /dev/null -w '%{{http_code}} %{{time_total}}' {SITE}{path}"
