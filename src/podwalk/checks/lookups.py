"""Names, asked of a place's own resolver with dig, as the learner would."""

from __future__ import annotations

import re
import shlex

_STATUS = re.compile(r"status: ([A-Z]+),")
_ANSWER = re.compile(r"^\S+\s+\d+\s+IN\s+(?P<kind>[A-Z]+)\s+(?P<data>.+)$")


def command(name: str, kind: str) -> list[str]:
    """The arguments of the look-up: with the search list, as getaddrinfo would, unless the name ends in a dot."""
    return ["dig", "+search", "+tries=2", "+time=2", "+nocmd", "+noquestion", "+nostats", name, kind]


def script(argv: list[str]) -> str:
    """The look-up as a script that succeeds even where nobody answers: what it prints tells that."""
    return f"{shlex.join(argv)} || true"


def parse(output: str) -> set[str]:
    """The data of the answers; ``{"NXDOMAIN"}`` or another status; ``{"no answer"}`` where nobody spoke.

    A name that exists without a record of the type gives the empty set. CNAMEs on the way are left out where an address
    follows.
    """
    status = _STATUS.findall(output)
    if not status:
        return {"no answer"}
    if status[-1] != "NOERROR":
        return {status[-1]}
    found = [m for m in (_ANSWER.match(line) for line in output.splitlines()) if m]
    final = [m["data"] for m in found if m["kind"] != "CNAME"]
    return set(final or [m["data"] for m in found])
