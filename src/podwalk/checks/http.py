"""HTTP probes from inside Pods: one request, or many over new connections, in one `kubectl exec`."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from podwalk.checks.patience import spoken

_MARK = "<<podwalk %{http_code} %{exitcode} %{remote_ip} %{time_total} %{errormsg}>>"
_RECORD = re.compile(r"<<podwalk (?P<status>\d+) (?P<exit>\d+) (?P<ip>\S*) (?P<time>[\d.]+) (?P<error>[^\n]*?)>>\n?")

# curl's exit codes, in the words of the course.
COULD_NOT_RESOLVE, REFUSED, TIMEOUT = 6, 7, 28
_IN_WORDS = {
    3: "not a URL",
    5: "proxy name not known",
    COULD_NOT_RESOLVE: "name not known",
    REFUSED: "connection refused",
    TIMEOUT: "timeout",
    52: "empty reply",
    56: "connection reset",
}
_CHUNKS = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's fate: ``status`` is 0 where there was no HTTP answer, and ``exit`` is then curl's exit code."""

    status: int
    exit: int
    ip: str
    seconds: float
    body: str
    error: str = ""

    @property
    def unresolved(self) -> bool:
        """Whether the request ended before it had an address: curl's timeout covers the resolver as well."""
        return self.exit == COULD_NOT_RESOLVE or (self.exit == TIMEOUT and self.error.startswith("Resolving"))

    @property
    def outcome(self) -> str:
        """In a few words: ``HTTP 200``, ``connection refused``, ``timeout``, ``name not known``."""
        if self.exit == 0 and self.status:
            return f"HTTP {self.status}"
        if self.exit == TIMEOUT and self.unresolved:
            return "name not known in time"
        return _IN_WORDS.get(self.exit, self.error or f"curl exit {self.exit}")


def quoted(url: str) -> str:
    """A URL for the shell in the Pod: ``$NAME`` is expanded there, everything else is literal."""
    escaped = re.sub(r'(["`\\])', r"\\\1", url)
    return f'"{escaped}"'


def script(url: str, count: int, timeout: float) -> str:
    """A shell script of ``count`` requests, each on its own connection; it stops after a third that had a failure.

    ``-q`` and ``--noproxy`` keep a .curlrc or a proxy variable from answering in the cluster's place.
    """
    base = f"curl -q -s --noproxy '*' -m {timeout:g} -w '\\n{_MARK}\\n'"
    if count == 1:
        return f"{base} -g {quoted(url)}; true"
    joiner = "&" if "?" in url else "?"
    runs, first = [], 1
    for index in range(_CHUNKS):
        last = count * (index + 1) // _CHUNKS
        if last >= first:
            runs.append(f"run {quoted(f'{url}{joiner}probe=[{first}-{last}]')}")
        first = last + 1
    stop = 'case "$out" in *"<<podwalk 000 "*) exit 0;; esac'
    head = f"run() {{ out=$({base} -H 'Connection: close' \"$1\"); printf '%s\\n' \"$out\"; {stop}; }}"
    return f"{head}; {'; '.join(runs)}; true"


def parse(output: str) -> list[Answer]:
    """The answers in what the script printed."""
    answers, start = [], 0
    for found in _RECORD.finditer(output):
        body = output[start : found.start()].strip("\n")
        answers.append(
            Answer(
                int(found["status"]),
                int(found["exit"]),
                found["ip"],
                float(found["time"]),
                body,
                found["error"].strip(),
            )
        )
        start = found.end()
    return answers


def tally(answers: list[Answer]) -> str:
    """``14 × HTTP 200, 16 × timeout``; one answer without a count."""
    counts = Counter(a.outcome for a in answers)
    if len(answers) == 1:
        return answers[0].outcome
    return ", ".join(f"{n} × {outcome}" for outcome, n in counts.most_common()) or "no answer at all"


def by_body(answers: list[Answer], most: int = 6) -> str:
    """Who answered how often: ``web-a (12), web-b (18)``."""
    counts = Counter(shorten(a.body) for a in answers if a.status)
    named = [f"{body or 'an empty body'} ({n})" for body, n in sorted(counts.items())]
    return ", ".join(named[:most]) + (", …" if len(named) > most else "")


def shorten(text: str, longest: int = 60) -> str:
    """The first line of a body, cut to a length that a report can show."""
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def wanted(status: int, count: int, timeout: float) -> str:
    """The expectation in words: ``30 × HTTP 200 within 1 s``."""
    times = f"{count} × " if count > 1 else ""
    return f"{times}HTTP {status} within {spoken(timeout)}"
