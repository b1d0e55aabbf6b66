"""scoreboard-refuses-the-umpire: the server waits on the Pod's loopback; it must wait where callers arrive."""

from podwalk.checks import Lab

# Sockets that wait and belong to a process that somebody began by hand: such a one has a session of its own.
BY_HAND = r"""
inodes=$(awk '$4 == "0A" && $10 != "0" {print "socket:[" $10 "]"}' /proc/net/tcp /proc/net/tcp6 2>/dev/null)
for process in /proc/[0-9]*; do
  [ "$(sed 's/.*) //' "$process/stat" 2>/dev/null | cut -d' ' -f4)" = 1 ] && continue
  for inode in $inodes; do
    ls -l "$process/fd" 2>/dev/null | grep -qF "$inode" && echo "process ${process#/proc/}, begun by hand"
  done
done
true
"""


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the umpire gets an answer", nudge="At which address does the scoreboard wait for calls?") as answer:
        lab.http("centrecourt/umpire", "http://score/points").expect(status=200)

    with lab.step(
        "both scoreboards take turns in thirty calls", nudge="Who answered, and with what?", needs=answer
    ) as turns:
        lab.http("centrecourt/umpire", "http://score/points").expect(status=200, body="40:15")
        boards = lab.pod_names("centrecourt/score")
        lab.many("centrecourt/umpire", "http://score/hostname", 30).expect(status=200, answered_by=boards)

    with lab.step(
        "a scoreboard made tomorrow answers as well",
        nudge="From what is the next Pod made, and does it know of your repair?",
        needs=turns,
    ):
        lab.finds_new_pods("centrecourt/score", "centrecourt/score")
        lab.endpoints("centrecourt/score").expect(lambda: lab.pod_ips("centrecourt/score"))
        for board in sorted(lab.pod_names("centrecourt/score")):
            lab.output(f"centrecourt/{board}", BY_HAND).expect("")

    with lab.guard("score kept its name, address and port", nudge="What does the chair know the scoreboard by?"):
        lab.same("Service", "centrecourt/score", "spec.type", "spec.clusterIP")
        lab.field("Service", "centrecourt/score", "spec.ports").expect(
            lab.at_start.fields("Service", "centrecourt/score", "spec.ports")["spec.ports"]
        )

    with lab.guard("the scoreboard is the licensed one", nudge="Which program was it that had to be repaired?"):
        lab.same("Deployment", "centrecourt/score", "metadata.uid")
        lab.output("centrecourt/deploy/score", "tr '\\0' ' ' </proc/1/cmdline | cut -d' ' -f1").expect("httpd")

    with lab.guard("the umpire is the same Pod", nudge="Was it the chair that needed a repair?"):
        lab.same_pod("centrecourt/umpire")
