"""HTTP probes from inside Pods: one request, or many over new connections, in one `kubectl exec`."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from podwalk.checks.patience import spoken

MARK = "<<podwalk %{http_code} %{exitcode} %{remote_ip} %{time_total} %{errormsg}>>"
_RECORD = re.compile(r"<<podwalk (?P<status>\d+) (?P<exit>\d+) (?P<ip>\S*) (?P<time>[\d.]+) (?P<error>[^\n]*?)>>\n?")
# What curl prints of the answer's headers, where they are asked for: one JSON object, its keys in lower case.
_HEADERS = "\\n%{header_json}<<podwalk headers>>"
_END_OF_HEADERS = "<<podwalk headers>>\n"

# Linux begins elsewhere in its source ports every ten seconds (5.18; EPHEMERAL_PORT_SHUFFLE_PERIOD), while conntrack
# remembers a SYN that nobody answered for 120 (nf_conntrack_tcp_timeout_syn_sent), and a new connection from its port
# follows it to where it died: each failure would cost one call in some thousands long after its repair. So probes have
# ports of their own, below Linux's and Kubernetes' ranges, which follow the clock and come again after 150 seconds.
# Of the 120 of a second many requests take the first half, and scripts of one request begin somewhere in the second;
# curl takes the next port where one is in use. Many requests need a timeout of a second at least: a lost one must not
# meet its port again at once.
_PORTS_NOW, _LAST_PORT = "12000+$(date +%s)%150*120", 32767
OWN_PORT = f"--local-port $(({_PORTS_NOW}+60+$$*13%60))-{_LAST_PORT}"

# curl's exit codes, in the words of the course.
COULD_NOT_RESOLVE, REFUSED, TIMEOUT, UNTRUSTED = 6, 7, 28, 60
_IN_WORDS = {
    3: "not a URL",
    5: "proxy name not known",
    COULD_NOT_RESOLVE: "name not known",
    REFUSED: "connection refused",
    TIMEOUT: "timeout",
    35: "no TLS handshake",
    52: "empty reply",
    56: "connection reset",
    UNTRUSTED: "the certificate is not trusted",
}
# Of many requests the first few tell whether anybody answers at all: no more of them wait for nobody.
_FEW = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """How a request is made, beyond its URL: headers, method, and which certificate authority (PEM) is trusted.

    ``insecure`` trusts everybody; ``see_headers`` has the answer's headers read as well. ``source_port`` is
    where a probe's own ports would not do; 0 leaves it to the kernel.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    ca: str = ""
    insecure: bool = False
    see_headers: bool = False
    source_port: int | None = None

    def flags(self) -> list[str]:
        """As arguments of curl, but for the authority, which must be a file first."""
        method = ["-I"] if self.method == "HEAD" else ["-X", self.method] if self.method != "GET" else []
        headers = [word for name, value in self.headers.items() for word in ("-H", f"{name}: {value}")]
        return [*method, *headers, *(["-k"] if self.insecure else [])]

    def shown(self) -> list[str]:
        """As the learner would type them; the authority is a file that the learner has to write."""
        return [*(["-i"] if self.see_headers else []), *self.flags(), *(["--cacert", "ca.crt"] if self.ca else [])]


PLAIN = Asked()


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's fate: ``status`` is 0 where there was no HTTP answer, and ``exit`` is then curl's exit code."""

    status: int
    exit: int
    ip: str
    seconds: float
    body: str
    error: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

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
        if self.exit == UNTRUSTED and "subject name" in self.error:
            return "a certificate for other names"
        return _IN_WORDS.get(self.exit, self.error or f"curl exit {self.exit}")


def quoted(url: str) -> str:
    """A URL for the shell in the Pod: ``$NAME`` is expanded there, everything else is literal."""
    escaped = re.sub(r'(["`\\])', r"\\\1", url)
    return f'"{escaped}"'


def script(url: str, count: int, timeout: float, asked: Asked = PLAIN, options: str = "") -> str:
    """A shell script of ``count`` requests, each on its own connection; it stops after a part that had a failure.

    ``-q`` and ``--noproxy`` keep a .curlrc or a proxy variable from answering in the cluster's place. Source ports are
    TCP 12000 to 32767, if ``asked`` does not say otherwise. ``options`` are more arguments of curl, as the shell reads
    them.
    """
    mark = f"\\n{MARK}{_HEADERS if asked.see_headers else ''}\\n"
    base = f"-s --noproxy '*' -m {timeout:g} -w '{mark}'"
    flags = asked.flags()
    prepare = ""
    if asked.ca:
        prepare = f'ca=$(mktemp); trap \'rm -f "$ca"\' EXIT; printf %s {shlex.quote(asked.ca)} >"$ca"; '
        base += ' --cacert "$ca"'
    for more in (shlex.join(flags), options):
        base += f" {more}" if more else ""
    if count == 1:
        return f"{prepare}curl -q {base}{_local_port(asked, OWN_PORT)} -g {quoted(url)}; true"
    return prepare + _many(url, count, f"{base}{_local_port(asked, f'--local-port $((port+i))-{_LAST_PORT}')}")


def together(urls: str, timeout: float, options: str = "") -> str:
    """A shell command: one curl for all URLs that the ranges in ``urls`` stand for, on one connection if that is kept.

    Where it is not, curl would begin each new one at the same port of its own, so that the kernel chooses.
    """
    one = script(urls, 1, timeout, Asked(source_port=0), options)
    return one.replace(" -g ", " ").removesuffix("; true")


def _local_port(asked: Asked, own: str) -> str:
    if asked.source_port is None:
        return f" {own}"
    return f" --local-port {asked.source_port}" if asked.source_port else ""


def _many(url: str, count: int, options: str) -> str:
    """One curl for each of three parts, so that no request costs a process; each request has a port of its own."""
    runs, first = [], 1
    for last in _parts(count):
        if last >= first:
            runs.append(f"run {first} {last}")
        first = last + 1
    probe = quoted(f"{url}{'&' if '?' in url else '?'}probe=")
    group = f'[ $# = 0 ] || set -- "$@" --next; set -- "$@" {options} -H \'Connection: close\' -g {probe}$i'
    stop = 'case "$out" in *"<<podwalk 000 "*) exit 0;; esac'
    head = (
        f"run() {{ i=$1; last=$2; set --; while [ $i -le $last ]; do {group}; i=$((i+1)); done; "
        f'out=$(curl -q "$@"); printf \'%s\\n\' "$out"; {stop}; }}'
    )
    return f"port=$(({_PORTS_NOW})); {head}; {'; '.join(runs)}; true"


def _parts(count: int) -> tuple[int, int, int]:
    """The last request of each of three parts."""
    few = min(count // 3, _FEW)
    return few, few + (count - few) // 2, count


def parse(output: str) -> list[Answer]:
    """The answers in what the script printed."""
    answers, start = [], 0
    for found in _RECORD.finditer(output):
        body = output[start : found.start()].strip("\n")
        start = found.end()
        headers: dict[str, str] = {}
        end = output.find(_END_OF_HEADERS, start)
        # The body of the next answer may begin with a brace, so what follows counts only up to its own end.
        if end >= 0 and "<<podwalk " not in output[start:end]:
            headers = {name: ", ".join(values) for name, values in json.loads(output[start:end]).items()}
            start = end + len(_END_OF_HEADERS)
        seconds, error = float(found["time"]), found["error"].strip()
        answers.append(Answer(int(found["status"]), int(found["exit"]), found["ip"], seconds, body, error, headers))
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


def header_values(answers: list[Answer], names: Mapping[str, str | None]) -> str:
    """What the answers say in these headers: ``location: /login``; one that is not there is told as such."""
    said = {f"{name.lower()}: {a.headers.get(name.lower(), '(none)')}" for a in answers for name in names}
    return ", ".join(sorted(said))


def wanted(status: int, count: int, timeout: float) -> str:
    """The expectation in words: ``30 × HTTP 200 within 1 s``."""
    times = f"{count} × " if count > 1 else ""
    return f"{times}HTTP {status} within {spoken(timeout)}"
