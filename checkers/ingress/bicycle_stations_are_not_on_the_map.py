"""bicycle-stations-are-not-on-the-map: a star is one label, and a host of its own takes nothing from the wildcard."""

from podwalk.checks import Lab

FRONT, STATION, CALENDAR = "the front page", "a station", "the workshop's calendar"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the bare name shows the front page", nudge="What is left of velo.example for the star to cover?"):
        lab.http("outside", "http://velo.example/").expect(body=FRONT)

    with lab.step("the pier has its page", nudge="How many labels does one star stand for?"):
        lab.http("outside", "http://pier.canal.velo.example/").expect(body=STATION)
        lab.http("outside", "http://pier.canal.velo.example/saddles").expect(body=STATION)

    with lab.step(
        "the canal has its page beside the calendar", nudge="Which rules does nginx look at, once it knows the host?"
    ):
        lab.http("outside", "http://canal.velo.example/").expect(body=STATION)
        lab.http("outside", "http://canal.velo.example/saddles").expect(body=STATION)
        lab.http("outside", "http://canal.velo.example/calendar/may").expect(body=CALENDAR)

    with lab.step("a station that opens tomorrow has its page", nudge="Who writes a rule for the next station?"):
        for name in ("north", "east", "w3st"):
            host = {"Host": f"{name}.velo.example"}
            lab.http("outside", "http://www.velo.example/", headers=host).expect(body=STATION)
        # An untouched lab has this already: it counts only together with what is missing.
        lab.http("outside", "http://velo.example/").expect(status=200)

    with lab.guard("names of other people are still not found", nudge="Whose requests does the repair answer as well?"):
        for name in ("carts.example", "velo.example.net", "notvelo.example"):
            lab.http("outside", "http://www.velo.example/", headers={"Host": name}).expect(status=404)

    with lab.guard("what worked still works", nudge="What did the repair cost the others?"):
        lab.http("outside", "http://www.velo.example/").expect(body=FRONT)
        lab.http("outside", "http://canal.velo.example/calendar").expect(body=CALENDAR)

    with lab.guard("the Services were left alone", nudge="Was it the Services that could not read a name?"):
        for name in ("front", "stations", "workshop"):
            lab.same("Service", f"bicycles/{name}", "metadata.uid", "spec.type", "spec.selector", "spec.ports")
            lab.same("Deployment", f"bicycles/{name}", "metadata.uid", "spec.template.spec.containers")
