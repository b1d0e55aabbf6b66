"""``python -m podwalk.dns -conf /etc/coredns/Corefile``: the cluster's DNS server, in the place of CoreDNS."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from podwalk.dns.corefile import CorefileError, ServerBlock, parse, seconds
from podwalk.dns.loop import Loop
from podwalk.dns.records import SCHEMA_VERSION
from podwalk.dns.server import Server
from podwalk.dns.store import Store

log = logging.getLogger("main")
_reloads = logging.getLogger("plugin/reload")
_health = logging.getLogger("plugin/health")
# CoreDNS looks every 30 s; a learner who has edited the Corefile should not wait that long.
_RELOAD_SECONDS = 2.0
_USAGE = "usage: python -m podwalk.dns [-conf Corefile] [-dns.port PORT]"


class _Formatter(logging.Formatter):
    """CoreDNS' lines: ``[INFO] plugin/ready: …``; the name only where it is a plugin's."""

    def format(self, record: logging.LogRecord) -> str:
        level = "FATAL" if record.levelno >= logging.CRITICAL else record.levelname
        origin = f"{record.name}: " if record.name.startswith("plugin/") else ""
        return f"[{level}] {origin}{record.getMessage()}"


class Program:
    """The server with its Corefile, signals and end."""

    def __init__(self, corefile: Path, port: int | None) -> None:
        self._corefile, self._text = corefile, ""
        self._loop = Loop()
        self._server = Server(self._loop, Store(), port=port)
        self._server.fatal = self._fatal
        self.blocks: list[ServerBlock] = []
        self._exit_code = 0
        self._ending = False

    def run(self) -> int:
        """Serve until a signal ends it; the exit code."""
        try:
            self.load()
        except (OSError, CorefileError) as error:
            print(error, file=sys.stderr)
            return 1
        self._watch_signals()
        for block in self.blocks:
            print("\n".join(f"{zone}:{block.port}" for zone in block.zones), flush=True)
        self._say_configuration()
        print(f"podwalk-dns, Kubernetes DNS specification {SCHEMA_VERSION}", flush=True)
        self._loop.call_later(_RELOAD_SECONDS, self.reload)
        self._loop.run()
        self._server.close()
        return self._exit_code

    def load(self) -> None:
        """Read the Corefile and serve by it. Raises OSError or CorefileError."""
        self._text = self._corefile.read_text()
        self.blocks = parse(self._text, str(self._corefile))
        self._server.configure(self.blocks)

    def close(self) -> None:
        """Close every socket."""
        self._loop.close_all()

    def _watch_signals(self) -> None:
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno())
        self._wakeup = (reader, writer)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        # A container's first process begins with both blocked, so that none comes too early.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
        self._loop.add(reader, lambda: self._signalled(reader.recv(64)))

    def _signalled(self, numbers: bytes) -> None:
        name = signal.Signals(numbers[0]).name
        if self._ending:
            self._loop.stop()
            return
        self._ending = True
        log.info("%s: Shutting down servers then terminating", name)
        lameduck = self._lameduck() if numbers[0] == signal.SIGTERM else 0.0
        if lameduck:
            # Answers go on while other nodes still send here: they learn of the end a little later than we do.
            _health.info("Going into lameduck mode for %gs", lameduck)
        self._loop.call_later(lameduck, self._loop.stop)

    def _lameduck(self) -> float:
        for block in self.blocks:
            directive = block.plugin("health")
            words = directive.option("lameduck") if directive else None
            if words:
                try:
                    return seconds(words[0])
                except ValueError as error:
                    _health.warning("lameduck: %s", error)
        return 0.0

    def reload(self) -> None:
        """The reload plugin: take over a Corefile that has changed; keep the old one where the new one is broken."""
        self._loop.call_later(_RELOAD_SECONDS, self.reload)
        if not any(block.plugin("reload") for block in self.blocks):
            return
        try:
            text = self._corefile.read_text()
            if text == self._text:
                return
            log.info("Reloading")
            self._text = text
            blocks = parse(text, str(self._corefile))
            self._server.configure(blocks)
        except (OSError, CorefileError) as error:
            log.error("Restart failed: %s", error)
            _reloads.error("Corefile changed but reload failed: %s", error)
            return
        self.blocks = blocks
        self._say_configuration()
        log.info("Reloading complete")

    def _say_configuration(self) -> None:
        if any(block.plugin("reload") for block in self.blocks):
            digest = hashlib.sha512(self._text.encode()).hexdigest()
            _reloads.info("Running configuration SHA512 = %s", digest)

    def _fatal(self, text: str) -> None:
        logging.getLogger("plugin/loop").critical("%s", text)
        self._exit_code = 1
        self._loop.stop()


def log_like_coredns() -> None:
    """Send the log to standard output, in CoreDNS' form."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Formatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def main(argv: list[str]) -> int:
    """Run with these arguments; the exit code."""
    options = {"-conf": "Corefile", "-dns.port": ""}
    words = iter(argv)
    for word in words:
        name, equals, value = word.replace("--", "-", 1).partition("=")
        if name not in options:
            print(f"flag provided but not defined: {name}\n{_USAGE}", file=sys.stderr)
            return 2
        options[name] = value if equals else next(words, "")
    log_like_coredns()
    port = options["-dns.port"]
    return Program(Path(options["-conf"]), int(port) if port else None).run()


if __name__ == "__main__":
    # Watch threads may sit in a read for minutes: leave without waiting for them.
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
