"""weather-page-ends-in-500: the borrower granted it; the owner must, and for one Service only."""

from podwalk.checks import Lab

WEATHER = "http://paper.example/weather/hostname"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step(
        "readers see the weather", nudge="Who says 500, and what would it need to say anything else?"
    ) as seen:
        forecast = lab.pod_names("observatory/forecast")
        lab.many("outside", WEATHER, 20).expect(status=200, answered_by=forecast)

    with lab.step(
        "the page asks the observatory's own Service",
        nudge="Where does the page lead on the day when Astrid's Pod is another one?",
        needs=seen,
    ):
        show = "kubectl -n pressroom get httproute paper -o yaml"
        lab.value(lambda: weather_backends(lab), show).expect({"observatory/forecast"})
        lab.finds_new_pods("observatory/forecast", "observatory/forecast")
        lab.endpoints("observatory/forecast").expect(lambda: lab.pod_ips("observatory/forecast"))

    with lab.step(
        "nothing else is lent, and to nobody else", nudge="Who else could use what you have signed?", needs=seen
    ):
        lab.http("outside", "http://sky.paper.example/hostname").expect(status=500)
        lab.http("outside", "http://gossip.example/hostname").expect(status=500)

    with lab.guard("the front page is where it was", nudge="Whose readers did the repair send elsewhere?"):
        lab.http("outside", "http://paper.example/hostname").expect(answered_by=lab.pod_names("pressroom/paper"))
        lab.same("Gateway", "pressroom/press", "metadata.uid", "spec")

    with lab.guard("the pages of the others are still there", nudge="Is a page less the same as a permission less?"):
        lab.same("HTTPRoute", "pressroom/sky", "spec")
        lab.same("HTTPRoute", "gossip/stars", "spec")

    with lab.guard("the observatory works as before", nudge="What would Astrid not have signed?"):
        for name in ("forecast", "telescope"):
            lab.same("Deployment", f"observatory/{name}", "metadata.uid", "spec.template")
            lab.same("Service", f"observatory/{name}", "metadata.uid", "spec.type", "spec.selector")


def weather_backends(lab: Lab) -> set[str]:
    """The Services that the pressroom's routes name for paths below /weather, as ns/name."""
    found = set()
    for route in lab.now.objects("HTTPRoute", "pressroom"):
        for rule in route["spec"].get("rules") or ():
            paths = [(match.get("path") or {}).get("value", "/") for match in rule.get("matches") or ()]
            if any(path.startswith("/weather") for path in paths):
                found |= {f"{r.get('namespace', 'pressroom')}/{r['name']}" for r in rule.get("backendRefs") or ()}
    return found
