"""first-night-with-every-door-closed: a three-tier application gets its flows and nothing beside them."""

from podwalk.checks import Lab

WEB, API, DB, USHER, POPCORN = (f"cinema/deploy/{name}" for name in ("web", "api", "db", "usher", "popcorn"))
PROBER, JANITOR = "cinema-watch/deploy/prober", "cinema-watch/deploy/janitor"
PASSER_BY = "cinema-street/deploy/passer-by"
DNS = "kube-system/deploy/coredns"
PAYMENT, ELSEWHERE = "172.18.1.11:80", "172.18.1.10:80"
_PORTS = {WEB: (8080, 9100), API: (8080, 9100), DB: (5432, 9100), USHER: (8080,)}
# Who may reach which port of whom.
_NEEDED = {
    (WEB, API, 8080),
    (API, DB, 5432),
    *((PROBER, target, 9100) for target in (WEB, API, DB)),
    *((source, WEB, 8080) for source in (PROBER, JANITOR, PASSER_BY)),
}


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the show goes on", nudge="Which line of the table fails, and at which end?") as show:
        lab.http("outside", "http://cinema.example/hostname").expect(answered_by=lab.pod_names("cinema/web"))
        lab.http(PASSER_BY, "http://web.cinema/hostname").expect(answered_by=lab.pod_names("cinema/web"))
        lab.http(WEB, "http://api/hostname").expect(answered_by=lab.pod_names("cinema/api"))
        lab.http(API, "http://db:5432/hostname").expect(answered_by=lab.pod_names("cinema/db"))
        lab.http(API, "http://api.outside.test/").expect(status=200)
        for place in (USHER, DB):
            lab.lookup(place, "api.outside.test").expect({"172.18.1.11"})
        lab.flows(allowed=_allowed(lab), blocked=[]).expect()

    with lab.step(
        "nobody goes where he has no business", nudge="Which two of all these should never have met?", needs=show
    ):
        lab.flows(allowed=_allowed(lab), blocked=_blocked(lab)).expect()

    with lab.step(
        "tomorrow's Pods find the same doors", nudge="Whom do your rules mean, once these Pods are gone?", needs=show
    ):
        for source, target, port in sorted(_NEEDED):
            lab.successors(source, f"{target}:{port}").expect("allowed")
        for source in (WEB, DB, USHER, POPCORN):
            lab.successors(source, f"{DNS}:53/UDP").expect("allowed")
        for source, target in (
            (WEB, f"{DB}:5432"), (USHER, f"{API}:8080"), (POPCORN, f"{DB}:5432"), (JANITOR, f"{API}:9100"),
            (WEB, f"{POPCORN}:8080"), (PASSER_BY, f"{POPCORN}:8080"), (PROBER, f"{POPCORN}:8080"),
        ):  # fmt: skip
            lab.successors(source, target).expect("denied")

    with lab.guard("everybody is who he was", nudge="Was there anything wrong with the Pods?"):
        for source in (WEB, API, DB, USHER, POPCORN, PROBER, JANITOR, PASSER_BY):
            lab.same("Deployment", source.replace("/deploy", ""), "metadata.uid", "spec.replicas", "spec.template")
        for name in ("web", "api", "db"):
            lab.same("Service", f"cinema/{name}", "metadata.uid", "spec.selector", "spec.ports", "spec.type")

    with lab.guard("the neighbours make their own rules", nudge="Whose namespaces are those?"):
        for namespace in ("cinema-watch", "cinema-street"):
            lab.labels(f"{namespace}/*", "NetworkPolicy").expect({})


def _allowed(lab: Lab) -> list[tuple[str, str]]:
    flows = [(source, _at(lab, target, port)) for source, target, port in sorted(_NEEDED)]
    return [*flows, (API, PAYMENT), *((source, _at(lab, DNS, 53)) for source in (WEB, API, DB, USHER))]


def _blocked(lab: Lab) -> list[tuple[str, str]]:
    flows = [
        (source, _at(lab, target, port))
        for source in (WEB, API, DB, USHER, PROBER, JANITOR, PASSER_BY)
        for target, ports in _PORTS.items()
        for port in ports
        if source != target and (source, target, port) not in _NEEDED
    ]
    flows += [(source, ELSEWHERE) for source in (WEB, API, DB, USHER)]
    return [*flows, *((source, PAYMENT) for source in (WEB, DB, USHER))]


def _at(lab: Lab, target: str, port: int) -> str:
    return sorted(lab.pod_ips(target.replace("/deploy", ""), port))[0]
