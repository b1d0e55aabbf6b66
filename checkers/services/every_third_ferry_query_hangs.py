"""every-third-ferry-query-hangs: a slice from a move adds a dead address; the list must hold living Pods only."""

from podwalk.checks import Lab


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step(
        "sixty queries in a row are answered by both Pods",
        nudge="Where was the query addressed to, after the Service had chosen?",
    ) as answered:
        pods = lab.pod_names("ferryport/timetable")
        lab.many("ferryport/kiosk", "http://timetable/hostname", 60).expect(status=200, answered_by=pods)

    with lab.step(
        "nobody is on the list but the timetable's Pods",
        nudge="Which addresses may the Service choose from, and who answers at each?",
    ):
        lab.endpoints("ferryport/timetable", port=80).expect(lambda: lab.pod_ips("ferryport/timetable", 8080))

    with lab.step(
        "a Pod made tomorrow is found as well", nudge="Who writes the list when a Pod is replaced?", needs=answered
    ):
        lab.finds_new_pods("ferryport/timetable", "ferryport/timetable")

    with lab.guard("the gauge on the pier still answers", nudge="Was everything that is written by hand wrong?"):
        lab.many("ferryport/kiosk", "http://tides/", 2).expect(status=200)
        lab.same("Service", "ferryport/tides", "metadata.uid", "spec.type", "spec.clusterIP", "spec.selector")
        lab.endpoints("ferryport/tides", port=80).expect({"172.18.1.11:80"})

    with lab.guard("timetable kept its name, type and address", nudge="What does the kiosk know the timetable by?"):
        lab.same("Service", "ferryport/timetable", "spec.type", "spec.clusterIP")

    with lab.guard("the kiosk is the same Pod", nudge="Was it the kiosk that needed a repair?"):
        lab.same_pod("ferryport/kiosk")
