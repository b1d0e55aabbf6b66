"""three-stalls-three-numbers: 404 is no rule, 503 is no address, 502 is no answer at the address."""

from podwalk.checks import Lab

STALLS = ("fish", "cheese", "flowers")
_CONTAINERS = "spec.template.spec.containers"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the fishmonger sells", nudge="Who says 404, if no stall was asked?") as fish:
        _sells(lab, "fish")

    with lab.step("the cheesemonger sells", nudge="At which address and port did nginx knock?") as cheese:
        _sells(lab, "cheese")

    with lab.step("the florist sells", nudge="Who may be asked at all, and who decides that?") as flowers:
        _sells(lab, "flowers")

    with lab.step(
        "the next Pod of each stall is found as well",
        nudge="Who writes the list of addresses tomorrow, and who is on it?",
        needs=(fish, cheese, flowers),
    ):
        for stall in STALLS:
            _is_found(lab, stall)

    with lab.guard("a name that belongs to no stall is not found", nudge="Who else is let in by the repair?"):
        for name in ("hats.stall.example", "stall.example"):
            lab.http("outside", "http://fish.stall.example/", headers={"Host": name}).expect(status=404)

    with lab.guard("the florist still says by herself whether she is open", nudge="What was the probe there for?"):
        lab.value(lambda: _asked(lab), "kubectl -n market get deploy flowers -o yaml").expect("readinessProbe httpGet")
        lab.same("Service", "market/flowers", "spec.publishNotReadyAddresses")

    with lab.guard("the stalls run what they ran", nudge="Was it the stalls that did not understand?"):
        for stall in STALLS:
            _runs_what_it_ran(lab, stall)


def _sells(lab: Lab, stall: str) -> None:
    url = f"http://{stall}.stall.example/hostname"
    lab.many("outside", url, 10).expect(status=200, answered_by=lab.pod_names(f"market/{stall}"))


def _is_found(lab: Lab, stall: str) -> None:
    """Selected by labels, at the right port, and on the list because it is ready."""
    ref = f"market/{stall}"
    lab.finds_new_pods(ref, ref)
    lab.endpoints(ref, 80).expect(lambda: lab.pod_ips(ref, 8080))
    ready = lab.value(lambda: lab.now.ready_ips("market", app=stall), "kubectl -n market get pod -o wide")
    ready.expect(lambda: lab.pod_ips(ref))


def _runs_what_it_ran(lab: Lab, stall: str) -> None:
    before = _runs(lab, stall, at_start=True)
    lab.value(lambda: _runs(lab, stall), f"kubectl -n market get deploy {stall} -o yaml").expect(before)
    lab.same("Service", f"market/{stall}", "spec.type", "spec.clusterIP")


def _runs(lab: Lab, stall: str, *, at_start: bool = False) -> list[str]:
    """Image and arguments of each container, now or at the start."""
    state = lab.at_start if at_start else lab.now
    found = state.fields("Deployment", f"market/{stall}", _CONTAINERS).get(_CONTAINERS) or []
    return [f"{c['image']} {' '.join(c.get('args') or [])}" for c in found]


def _asked(lab: Lab) -> str:
    """How the florist's Pod is asked whether it is ready."""
    found = lab.now.fields("Deployment", "market/flowers", _CONTAINERS).get(_CONTAINERS) or []
    kinds = {
        kind for c in found for kind in ("httpGet", "tcpSocket", "exec", "grpc") if kind in c.get("readinessProbe", {})
    }
    return f"readinessProbe {' '.join(sorted(kinds))}" if kinds else "no readinessProbe"
