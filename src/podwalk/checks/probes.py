"""What a checker can expect: a probe looks when `expect` is called, and ends the step where it is not met."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from podwalk.checks import died, http
from podwalk.checks.http import Answer, Asked
from podwalk.checks.patience import Patience, seconds, spoken
from podwalk.checks.report import Finding
from podwalk.checks.shell import Shell, is_pod, see_it
from podwalk.checks.signals import CouldNotTellError, NotYetError
from podwalk.checks.state import State, split_ref

_EXEC_SLACK = 10.0
# More differences than this say no more.
_LEAVES = 4


@dataclass(frozen=True, slots=True)
class Means:
    """What probes work with. ``expecting`` is told of every expectation, so that a step without one cannot pass."""

    shell: Shell
    state: State
    patience: Patience
    expecting: Callable[[], None]


class HttpProbe:
    """Requests from a place; made by ``lab.http`` and ``lab.many``."""

    def __init__(self, means: Means, pod: str, url: str, count: int, timeout: float, asked: Asked = http.PLAIN) -> None:
        self._means = means
        self._pod, self._url, self._count, self._timeout = pod, url, count, timeout
        self._asked = asked
        # A Pod's own variables are not known here; the first look fills the URL in as the Pod sees it.
        self._seen_url = url

    def expect(
        self,
        *,
        status: int = 200,
        body: str | None = None,
        answered_by: Collection[str] | None = None,
        headers: Mapping[str, str | None] | None = None,
        within: str | float = "5s",
    ) -> None:
        """Every request gets this status; optionally this body, or a body that is one of ``answered_by``.

        With ``answered_by`` and many requests each of the names must have answered at least once, and nobody else.
        ``headers`` of the answer are compared as a whole, their names without regard to case; None: not there.
        """

        self._means.expecting()
        wanted = {name.lower(): value for name, value in (headers or {}).items()}
        self._asked = replace(self._asked, see_headers=bool(wanted))

        def good(answers: list[Answer]) -> bool:
            told = all(a.headers.get(name) == value for a in answers for name, value in wanted.items())
            return self._statuses_ok(answers, status) and self._bodies_ok(answers, body, answered_by) and told

        answers = self._means.patience.until(self._look, good, seconds(within))
        if not good(answers) and _stray(answers):
            answers = self._look()
        if not good(answers):
            finding = self._finding(answers, status, body, answered_by)
            raise NotYetError(_with_headers(finding, answers, wanted) if wanted else finding)

    def expect_blocked(self, *, though: str, within: str | float = "5s") -> None:
        """No request gets an answer, though the same Pod reaches ``though`` (a URL): the positive control.

        A refusal is an answer of somebody; blocked means that the connection times out or the path ends with an error.
        """
        self._means.expecting()
        control = HttpProbe(self._means, self._pod, though, 1, self._timeout, self._asked)

        def good(answers: list[Answer]) -> bool:
            return bool(answers) and all(a.exit == http.TIMEOUT for a in answers)

        answers = self._means.patience.until(self._look, good, seconds(within))
        expected = f"{self._count} × no answer within {spoken(self._timeout)}, though {though} answers"
        if not good(answers):
            raise NotYetError(Finding(expected, http.tally(answers), self._see_it(self._url)))
        reached = self._means.patience.until(
            control._look, lambda seen: control._statuses_ok(seen, 200), seconds(within)
        )
        if not control._statuses_ok(reached, 200):
            observed = f"{though} does not answer either ({http.tally(reached)}), so nothing is proven"
            raise NotYetError(Finding(expected, observed, self._see_it(though)))

    def _look(self) -> list[Answer]:
        budget = self._timeout * self._count + _EXEC_SLACK
        script = http.script(self._url, self._count, self._timeout, self._asked)
        if "$" in self._url:
            script = f"printf '%s\\n' {http.quoted(self._url)}; {script}"
        output = self._means.shell.run(self._pod, script, budget)
        if "$" in self._url:
            self._seen_url, _, output = output.partition("\n")
        answers = http.parse(output)
        if not answers:
            raise CouldNotTellError(f"curl in {self._pod} said nothing that can be read: {http.shorten(output)!r}")
        return answers

    def _statuses_ok(self, answers: list[Answer], status: int) -> bool:
        return len(answers) == self._count and all(a.exit == 0 and a.status == status for a in answers)

    def _bodies_ok(self, answers: list[Answer], body: str | None, answered_by: Collection[str] | None) -> bool:
        seen = {a.body.strip() for a in answers}
        if body is not None and seen != {body}:
            return False
        if answered_by is None:
            return True
        # An empty set of answerers is never met: nobody is there to answer.
        return seen == set(answered_by) if self._count > 1 else bool(seen) and seen <= set(answered_by)

    def _finding(
        self, answers: list[Answer], status: int, body: str | None, answered_by: Collection[str] | None
    ) -> Finding:
        expected = http.wanted(status, self._count, self._timeout)
        if body is not None:
            expected += f', saying "{body}"'
        if answered_by is not None:
            by = ", ".join(sorted(answered_by)) or "a ready Pod (there is none)"
            expected += f", from {'each of ' if self._count > 1 and len(answered_by) > 1 else ''}{by}"
        observed = http.tally(answers)
        failed = next((a for a in answers if a.exit or not a.status), None)
        # The body of an error page is a proxy's, and says less than its status.
        telling = failed is None and any(a.status == status for a in answers)
        if telling and (body is not None or answered_by is not None):
            observed += f" from {http.by_body(answers)}"
        if len(answers) < self._count:
            observed += f" (stopped after {len(answers)} of {self._count})"
        return Finding(expected, observed, self._see_it(self._url), self._died(failed))

    def _died(self, failed: Answer | None) -> str:
        if failed is None or not is_pod(self._pod):
            return ""
        return died.where(self._means.state, *split_ref(self._pod), self._seen_url, failed)

    def _see_it(self, url: str) -> str:
        argv = ["curl", f"-sSm{self._timeout:g}", *self._asked.shown()]
        if "$" in url:
            return see_it(self._pod, "sh", "-c", f"{shlex.join(argv)} {http.quoted(url)}")
        return see_it(self._pod, *argv, url)


def _with_headers(finding: Finding, answers: list[Answer], wanted: Mapping[str, str | None]) -> Finding:
    asked = ", ".join(f"{name}: {'(none)' if value is None else value}" for name, value in sorted(wanted.items()))
    observed = finding.observed
    if any(a.status for a in answers):
        observed += f", {http.header_values(answers, wanted)}"
    return replace(finding, expected=f"{finding.expected}, {asked}", observed=observed)


def _stray(answers: list[Answer]) -> bool:
    """Whether a single request was late among others that were answered: a busy machine does that, so look again."""
    late = [a for a in answers if a.exit == http.TIMEOUT]
    return len(late) == 1 and len(answers) > 1 and all(a.exit == 0 for a in answers if a is not late[0])


class Observed:
    """One value that can be looked at again, with the words and the command that show it."""

    def __init__(self, means: Means, look: Callable[[], Any], show: str) -> None:
        self._means, self._look, self._show = means, look, show

    def expect(self, wanted: Any, *, within: str | float = "5s") -> None:
        """The value is equal to ``wanted``; a function is called at each look (for a value that moves as well)."""
        self._means.expecting()
        want = wanted if callable(wanted) else lambda: wanted

        def look() -> tuple[Any, Any]:
            return self._look(), want()

        seen, expected = self._means.patience.until(look, lambda pair: bool(pair[0] == pair[1]), seconds(within))
        if seen != expected:
            said = difference(expected, seen) if isinstance(expected, Mapping) and isinstance(seen, Mapping) else None
            raise NotYetError(Finding(*(said or (in_words(expected), in_words(seen))), self._show))


def in_words(value: Any) -> str:
    """A value as a report prints it: sets sorted, nothing as "nobody"."""
    if isinstance(value, set | frozenset | list | tuple):
        return ", ".join(in_words(v) for v in (value if isinstance(value, list | tuple) else sorted(value))) or "nobody"
    if isinstance(value, Mapping):
        return ", ".join(f"{k}={in_words(v)}" for k, v in sorted(value.items())) or "nothing"
    return "nothing" if value is None or value == "" else str(value)


def difference(expected: Mapping[str, Any], seen: Mapping[str, Any]) -> tuple[str, str]:
    """Only the leaves in which two nested mappings differ, in words: (expected, observed)."""
    left, right = _leaves(expected), _leaves(seen)
    keys = [k for k in sorted({*left, *right}) if left.get(k) != right.get(k)]
    rest = f", and {len(keys) - _LEAVES} more" if len(keys) > _LEAVES else ""

    def words(side: Mapping[str, Any]) -> str:
        return ", ".join(f"{k}: {in_words(side.get(k))}" for k in keys[:_LEAVES]) + rest

    return words(left), words(right)


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Dotted paths to what is no mapping; the items of a list go by their names where they have some."""
    if isinstance(value, Mapping) and (value or not path):
        return {k: v for key in value for k, v in _leaves(value[key], f"{path}.{key}" if path else key).items()}
    if isinstance(value, list) and value and all(isinstance(v, Mapping) and "name" in v for v in value):
        return {k: v for item in value for k, v in _leaves(item, f"{path}[{item['name']}]").items()}
    return {path: value}
