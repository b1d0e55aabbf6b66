"""The live board: one page for the instructor of who is where, which step fails, and for how long.

It is served on loopback under a path that only its reader knows (a capability URL), has no script and asks the
network for nothing; the browser loads it anew every few seconds. Behind a JupyterHub, podwalk.classroom.hub serves it.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from podwalk.classroom.crew import Outcome
from podwalk.classroom.page import STYLE

STUCK_MINUTES = 10
_RELOAD_SECONDS = 5
# However long a round of asking takes, the machine is the learners' for most of the time.
_REST = 4
_CLIENT_SECONDS = 10
_HEADINGS = ("learner", "cluster", "lab", "step that fails", "for", "checks", "hints", "done", "points")
# What every answer says beside its content.
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a learner is. ``minutes``: since when the step fails, None where none does."""

    learner: str
    cluster: str
    lab: str = ""
    step: str = ""
    minutes: int | None = None
    checks: int = 0
    hints: int = 0
    done: int = 0
    points: int = 0
    trouble: str = ""

    @property
    def stuck(self) -> bool:
        """Whether somebody should walk over."""
        return bool(self.trouble) or (self.minutes is not None and self.minutes >= STUCK_MINUTES)


def places(outcomes: Sequence[Outcome], now: datetime) -> list[Place]:
    """The rows of the board: who has been failing longest comes first, the others in the roster's order."""
    rows = [_place(outcome, now) for outcome in outcomes]
    return sorted(rows, key=lambda row: (not row.trouble, -1 if row.minutes is None else -row.minutes - 2))


def _place(outcome: Outcome, now: datetime) -> Place:
    name = outcome.learner.name
    if outcome.error:
        return Place(name, "?", trouble=outcome.error)
    try:
        answer = outcome.answer
        cluster = "up" if answer["cluster"]["running"] else "down"
        done = sum(bool(lab["done"]) for lab in answer["labs"])
        points = sum(int(lab["points"]) for lab in answer["labs"])
        at = answer["now"]
        if not at:
            return Place(name, cluster, done=done, points=points)
        since = at["failingSince"]
        minutes = max(0, int((now - datetime.fromisoformat(since)).total_seconds() // 60)) if since else None
        here = (str(at["lab"]), str(at["step"] or ""), minutes, int(at["checks"]), int(at["hints"]))
        return Place(name, cluster, *here, done=done, points=points)
    except (KeyError, TypeError, ValueError) as error:
        return Place(name, "?", trouble=f"their folder says something of another shape ({error!r})")


def render(rows: Sequence[Place], seen: datetime | None) -> str:
    """The page. ``seen``: when the learners were asked; None before the first round."""
    when = f"As of {seen:%H:%M:%S} UTC." if seen else "Asking …"
    head = "".join(f"<th scope=col>{heading}</th>" for heading in _HEADINGS)
    body = "".join(_row(row) for row in rows)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>podwalk: the board</title>"
        f"<meta name=viewport content='width=device-width'><meta http-equiv=refresh content={_RELOAD_SECONDS}>"
        # Without an icon of its own a browser would ask the root for one.
        f"<link rel=icon href='data:,'><style>{STYLE}</style><h1>The class now</h1>"
        f"<p>{when} In bold: failing for {STUCK_MINUTES} minutes or more.</p>"
        f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></html>\n"
    )


def _row(row: Place) -> str:
    lasting = "" if row.minutes is None else f"{row.minutes} min"
    words = (row.cluster, row.lab, row.step or row.trouble, lasting)
    numbers = (row.checks, row.hints, row.done, row.points)
    cells = "".join(f"<td>{escape(word)}</td>" for word in words) + "".join(f"<td class=n>{n}</td>" for n in numbers)
    name = f"{'▲ ' if row.stuck else ''}{escape(row.learner)}"
    return f"<tr{' class=bad' if row.stuck else ''}><th scope=row>{name}</th>{cells}</tr>"


Ask = Callable[[], Sequence[Outcome]]


class Watch:
    """Asks the class again and again, and tells what it heard. A context manager: the asking ends with it.

    ``ask`` gives an outcome for each learner; it is called in a thread of the watch's own. ``stop`` cuts short what
    it has under way.
    """

    def __init__(self, ask: Ask, every: float, stop: Callable[[], None] = lambda: None) -> None:
        self._ask, self._every, self._stop = ask, every, stop
        self._outcomes: Sequence[Outcome] = ()
        self._seen: datetime | None = None
        self._trouble: BaseException | None = None
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._watch)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()
        for thread in self._threads:
            thread.join()

    def wait(self) -> None:
        """Return when the watch cannot go on. Raises what ended it."""
        self._ended.wait()
        if self._trouble is not None:
            raise self._trouble

    def end(self) -> None:
        """Ask no more; wait() returns."""
        self._ended.set()
        self._stop()

    def page(self, name: str) -> tuple[str, str] | None:
        """Content type and text of a page by its name, None where there is none. The board itself has no name."""
        rows = places(self._outcomes, datetime.now(UTC))
        if name == "":
            return "text/html; charset=utf-8", render(rows, self._seen)
        if name == "board.json":
            return "application/json", json.dumps([{**asdict(row), "stuck": row.stuck} for row in rows])
        return None

    def _watch(self) -> None:
        try:
            while not self._ended.is_set():
                began = time.monotonic()
                self._outcomes = self._ask()
                self._seen = datetime.now(UTC)
                self._ended.wait(max(self._every, _REST * (time.monotonic() - began)))
        except BaseException as error:  # Told by wait(), in the thread that the user looks at.
            self._trouble = error
            self._ended.set()


class Board(Watch):
    """A watch with a server of its own, which ends with it.

    Raises OSError where the address cannot be had.
    """

    def __init__(
        self, ask: Ask, address: str, port: int, every: float, stop: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(ask, every, stop)
        self._token = secrets.token_urlsafe(24)
        self._server = ThreadingHTTPServer((address, port), self._handler())
        self._server.daemon_threads = True
        self._threads.append(threading.Thread(target=self._server.serve_forever))

    @property
    def url(self) -> str:
        """Where the page is; whoever knows it may read the board."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/{self._token}/"

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        super().__exit__(*exc)
        self._server.server_close()

    def answer(self, path: str) -> tuple[str, str] | None:
        """Content type and text for a path, None where there is nothing for this reader."""
        token, _, name = path.partition("?")[0].removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return None
        return self.page(name)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        board = self

        class Handler(BaseHTTPRequestHandler):
            """One request."""

            timeout = _CLIENT_SECONDS
            server_version, sys_version = "podwalk", ""

            def do_GET(self) -> None:
                found = board.answer(self.path)
                kind, text = found or ("text/plain", "not found\n")
                data = text.encode(errors="replace")
                self.send_response(HTTPStatus.OK if found else HTTPStatus.NOT_FOUND)
                for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **HEADERS}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: the path is the secret."""

        return Handler
