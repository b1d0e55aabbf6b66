"""bets-are-taken-at-one-end-of-the-stand-only: a node has too few source ports towards one destination."""

from podwalk.checks import Lab

EAST, BOARD = "racecourse/deploy/window-east", "racecourse/deploy/board"
BOOKMAKER = "172.18.1.11"
_PORTS = 1024
# Each line asks for nothing and is held open until all the others have had their time.
_FORTY = (
    "for bet in $(seq 40); do timeout 4 bash -c "
    f"'exec 3<>/dev/tcp/{BOOKMAKER}/80 && echo taken && read -r -t 2 _ <&3' 2>/dev/null & done | grep -c taken; true"
)
# Calls that are over: their entries are kept for another two minutes.
_FIVE = "for bet in 1 2 3 4 5; do curl -so /dev/null -w '%{local_port} ' -m 3 http://api.outside.test/; done"
_LINES = f"conntrack -L -p tcp -d {BOOKMAKER} 2>/dev/null || true"
_RIGHT = "every line from this machine, with its own ports"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step(
        "twenty bets in a row are taken", nudge="What must the node still have left for a new line?"
    ) as taken:
        seen = f"api.outside.test sees you as {_machine(lab)}"
        lab.many(EAST, "http://api.outside.test/", 20).expect(status=200, body=seen)

    with lab.step("forty bets at the same moment are taken, too", nudge="How many lines can this node hold at once?"):
        lab.output(EAST, _FORTY, timeout="20s").expect("40", within="8s")

    with lab.step("the bookmaker's logbook is right", nudge="With which ports does this machine call?", needs=taken):
        show = f"podwalk node {lab.node_of(BOARD).removeprefix('node:')} -- conntrack -L -p tcp -d {BOOKMAKER}"
        lab.value(lambda: _logbook(lab), show).expect(_RIGHT, within="20s")

    with lab.guard("the stand is as it was", nudge="Who asked for the board to hang up?"):
        for name in ("window-east", "window-west", "board"):
            lab.same("Deployment", f"racecourse/{name}", "metadata.uid", "spec.replicas", "spec.template")


def _machine(lab: Lab) -> str:
    return lab.node_ip(lab.nodes()[0])


def _logbook(lab: Lab) -> str:
    """Whose address and ports the bookmaker has seen: on lines that are open, and on five that were just made."""
    first = int(lab.parameters["first"])
    made = lab.read(EAST, _FIVE, timeout="20s").split()
    met, astray = set(), []
    for line in lab.read(lab.node_of(BOARD), _LINES).splitlines():
        fields = [word.split("=", 1) for word in line.split() if "=" in word]
        # The second half of an entry is the answer: where it goes is what the bookmaker sees.
        caller, address, port = _nth(fields, "sport", 0), _nth(fields, "dst", 1), _nth(fields, "dport", 1)
        if caller in made or " ESTABLISHED " in line:
            met.add(caller)
            if address != _machine(lab) or not first <= int(port) < first + _PORTS:
                astray.append(f"{address}:{port}")
    if not made or not met.issuperset(made):
        return f"{len(met.intersection(made))} of {len(made)} new lines came about"
    return f"{', '.join(sorted(astray)[:3])}: {len(astray)} of {len(met)} astray" if astray else _RIGHT


def _nth(fields: list[list[str]], key: str, number: int) -> str:
    return [value for name, value in fields if name == key][number]
