"""One server block at work: its plugins, in CoreDNS' order, answer a question.

The order is that of CoreDNS' plugin.cfg, whatever the Corefile's: errors, log, loadbalance, cache, rewrite, template,
hosts, kubernetes, loop, forward. Answers are handed to a callback, because other servers may have to be asked.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from podwalk.dns import cache, forward, message, records
from podwalk.dns.cache import Cache
from podwalk.dns.corefile import CorefileError, Directive, ServerBlock, zone_name
from podwalk.dns.forward import ForwardConfig, Forwarder
from podwalk.dns.hosts import Hosts
from podwalk.dns.loop import Loop
from podwalk.dns.message import Message, Question, Record
from podwalk.dns.rewrite import Rewriter
from podwalk.dns.store import Store
from podwalk.dns.template import Template, TemplateError

queries = logging.getLogger("queries")
errors = logging.getLogger("plugin/errors")
loops = logging.getLogger("plugin/loop")

_DEFAULT_TTL = 5
_LOOP_PROBE_SECONDS = 30.0
_MAX_CHASE = 7


@dataclass(frozen=True, slots=True)
class Request:
    """A question that came in; ``depth`` counts how often the server asked itself on the way here."""

    message: Message
    question: Question
    client: tuple[str, int]
    size: int
    tcp: bool
    depth: int = 0

    @property
    def limit(self) -> int:
        """How long the answer may be."""
        return 65535 if self.tcp else max(self.message.udp_size or 0, message.MIN_UDP_SIZE)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; ``raw`` are its bytes where another server wrote them."""

    message: Message
    raw: bytes | None = None

    def encode(self, limit: int) -> bytes:
        """The bytes to send, cut to a limit."""
        if self.raw is None:
            return message.pack(self.message, limit)
        if len(self.raw) <= limit:
            return self.raw
        # Not cut but emptied: records of unknown types may hold names that point elsewhere in the other's bytes.
        bare = replace(self.message, answers=(), authority=(), additional=(), flags=self.message.flags | message.TC)
        return message.pack(bare, limit)


Reply = Callable[[Response], None]
Resolve = Callable[[Request, Reply], None]
Fatal = Callable[[str], None]


class Chain:
    """The plugins of one server block. ``resolve`` asks the whole server, for the targets of ExternalNames."""

    def __init__(
        self, block: ServerBlock, loop: Loop, store: Store, resolve: Resolve, fatal: Fatal, own_ip: str = ""
    ) -> None:
        self.block, self._loop, self._store = block, loop, store
        self._resolve, self._fatal = resolve, fatal
        self.zone = _kubernetes_zone(block, own_ip)
        self._fallthrough = _fallthrough(block.plugin("kubernetes"))
        self._forwarders = [Forwarder(loop, forward.configure(d)) for d in block.plugins("forward")]
        self._log = block.plugin("log")
        self._errors = block.plugin("errors") is not None
        self._shuffle = block.plugin("loadbalance") is not None
        kept = block.plugin("cache")
        self._cache = Cache(cache.configure(kept, block.zones)) if kept else None
        self._rewriter = Rewriter(block.plugins("rewrite"))
        self._templates = [Template(d, block.zones) for d in block.plugins("template")]
        self._hosts = [Hosts(d, block.zones) for d in block.plugins("hosts")]
        self._probe: str | None = None
        self._probes_seen = 0

    @property
    def forwards(self) -> list[ForwardConfig]:
        """The forward plugins' configurations."""
        return [f.config for f in self._forwarders]

    def close(self) -> None:
        """Begin nothing more: another configuration took this one's place."""
        for forwarder in self._forwarders:
            forwarder.close()

    def serve(self, request: Request, reply: Reply) -> None:
        """Answer a request; ``reply`` is called once."""
        started = time.monotonic()

        def finish(response: Response) -> None:
            if self._shuffle and response.raw is None:
                response = replace(response, message=_shuffled(response.message))
            if self._log is not None and not request.depth:
                self._write_log(request, response, time.monotonic() - started)
            reply(response)

        if self._cache is None or request.question.type == message.HINFO:
            self._serve_fresh(request, finish)
        else:
            self._serve_cached(self._cache, request, finish)

    def _serve_cached(self, kept: Cache, request: Request, reply: Reply) -> None:
        hit = kept.get(request.message)
        if hit is not None:
            reply(Response(hit))
            return

        def keep(response: Response) -> None:
            # A failure of our own is not an answer that somebody gave.
            if response.raw is not None or response.message.rcode != message.SERVFAIL:
                kept.put(request.message, response.message)
            reply(response)

        self._serve_fresh(request, keep)

    def _serve_fresh(self, request: Request, reply: Reply) -> None:
        question, back = self._rewriter.rewrite(request.question)
        if question is request.question:
            self._serve_rewritten(request, reply)
            return
        inner = replace(request, message=replace(request.message, question=question), question=question)
        self._serve_rewritten(inner, lambda response: reply(Response(back(response.message))))

    def _serve_rewritten(self, request: Request, reply: Reply) -> None:
        if self._serve_template(request, reply):
            return
        for hosts in self._hosts:
            found = hosts.answer(request.question)
            if found is not None:
                rcode, known = found
                flags = message.AA if rcode == message.NOERROR else 0
                reply(Response(request.message.reply(rcode, flags=flags, answers=known)))
                return
        self._serve_authority(request, reply)

    def _serve_template(self, request: Request, reply: Reply) -> bool:
        for template in self._templates:
            try:
                said = template.answer(request.question, request.client[0])
            except TemplateError as error:
                self._fail(request, f"plugin/template: {error}", reply)
                return True
            if said is None:
                continue
            sections = {"answers": "answer", "authority": "authority", "additional": "additional"}
            records_of = {name: said.sections.get(section, ()) for name, section in sections.items()}
            answer = request.message.reply(said.rcode, flags=message.AA, **records_of)
            alias = answer.answers[0] if len(answer.answers) == 1 else None
            wanted = request.question.type in (message.A, message.AAAA)
            if alias and alias.type == message.CNAME and wanted and request.depth < _MAX_CHASE:
                self._chase(alias.data, request, answer, reply)
            else:
                reply(Response(answer))
            return True
        return False

    def _serve_authority(self, request: Request, reply: Reply) -> None:
        if self.zone is None or not self._serve_cluster(self.zone, request, reply):
            self._serve_forward(request, reply)

    def _serve_cluster(self, zone: records.Zone, request: Request, reply: Reply) -> bool:
        """The kubernetes plugin; False where the question is for the next one."""
        name = request.question.name
        if zone.origin_of(name) is None:
            return False
        found = records.answer(self._store, zone, request.question)
        if found.rcode == message.NXDOMAIN:
            if any(records.within(name, fallen) for fallen in self._fallthrough):
                return False
            if not self._store.synced:
                # Not knowing the name proves nothing before everything has been listed.
                reply(Response(request.message.reply(message.SERVFAIL)))
                return True
        answer = request.message.reply(
            found.rcode,
            flags=message.AA,
            answers=found.records,
            authority=found.authority,
            additional=found.additional,
        )
        if found.chase is not None and request.depth < _MAX_CHASE:
            self._chase(found.chase, request, answer, reply)
        else:
            reply(Response(answer))
        return True

    def _chase(self, target: str, request: Request, answer: Message, reply: Reply) -> None:
        """Add what the target of a CNAME resolves to."""

        def found(response: Response) -> None:
            reply(Response(replace(answer, answers=answer.answers + response.message.answers)))

        question = Question(target, request.question.type)
        inner = Message(random.getrandbits(16), message.RD, question)
        self._resolve(Request(inner, question, request.client, 0, request.tcp, request.depth + 1), found)

    def _serve_forward(self, request: Request, reply: Reply) -> None:
        question = request.question
        if self._is_loop(request, reply):
            return
        forwarder = next((f for f in self._forwarders if f.config.matches(question.name)), None)
        if forwarder is None:
            last = "kubernetes" if self.zone else "forward"
            self._fail(request, f"plugin/{last}: no next plugin found", reply)
            return

        def done(raw: bytes | None, why: str | None) -> None:
            if raw is None:
                self._fail(request, why or "", reply)
                return
            try:
                reply(Response(message.parse(raw), raw))
            except message.FormatError as error:
                self._fail(request, f"dns: {error}", reply)

        forwarder.ask(message.pack(request.message), tcp=request.tcp, done=done)

    def _fail(self, request: Request, why: str, reply: Reply) -> None:
        if self._errors:
            question = request.question
            errors.error("%d %s %s: %s", message.SERVFAIL, question.name, question.type_name, why)
        reply(Response(request.message.reply(message.SERVFAIL)))

    def start_loop_probe(self) -> None:
        """The loop plugin: ask ourselves for a random name, and see whether forwarding brings the question back."""
        if self.block.plugin("loop") is None or not self._forwarders:
            return
        zone = self.block.zones[0]
        self._probe = f"{random.getrandbits(63)}.{random.getrandbits(63)}.{zone.removeprefix('.')}"
        question = Question(self._probe, message.HINFO)
        query = Message(random.getrandbits(16), message.RD, question)
        self._loop.call_later(_LOOP_PROBE_SECONDS, self._stop_probe)
        self._resolve(Request(query, question, ("127.0.0.1", 0), 0, False, 1), lambda response: None)

    def _stop_probe(self) -> None:
        self._probe = None

    def _is_loop(self, request: Request, reply: Reply) -> bool:
        question = request.question
        if question.type != message.HINFO or question.name != self._probe:
            return False
        self._probes_seen += 1
        if self._probes_seen <= 2:
            return False
        ip, port = request.client
        self._fatal(
            f'Loop ({ip}:{port} -> :{self.block.port}) detected for zone "{self.block.zones[0]}", see '
            f'https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO {question.name}"'
        )
        reply(Response(request.message.reply(message.SERVFAIL)))
        return True

    def _write_log(self, request: Request, response: Response, seconds: float) -> None:
        answer, asked = response.message, request.message
        wanted = (self._log.option("class") if self._log else None) or ("all",)
        if "all" not in wanted and _response_class(answer) not in wanted:
            return
        size = len(response.encode(request.limit))
        rcode = message.RCODE_NAMES[answer.rcode] if answer.rcode < len(message.RCODE_NAMES) else str(answer.rcode)
        queries.info(
            '%s:%d - %d "%s %s %s %s %d %s %d" %s %s %d %.9fs',
            *request.client,
            asked.id,
            request.question.type_name,
            request.question.class_name,
            request.question.name.lower(),
            "tcp" if request.tcp else "udp",
            request.size,
            "true" if asked.dnssec_ok else "false",
            request.limit,
            rcode,
            answer.flag_text,
            size,
            seconds,
        )


def _kubernetes_zone(block: ServerBlock, own_ip: str) -> records.Zone | None:
    directive = block.plugin("kubernetes")
    if directive is None:
        return None
    pods = (directive.option("pods") or ("disabled",))[0]
    if pods not in ("disabled", "insecure", "verified"):
        raise CorefileError(
            f"plugin/kubernetes: wrong value for pods: {pods}, must be one of: disabled, verified, insecure"
        )
    origins = tuple(zone_name(word) for word in directive.args) or block.zones
    ttl = int((directive.option("ttl") or (str(_DEFAULT_TTL),))[0])
    return records.Zone(origins, ttl, pods, own_ip)


def _fallthrough(directive: Directive | None) -> tuple[str, ...]:
    zones = directive.option("fallthrough") if directive else None
    if zones is None:
        return ()
    return tuple(zone_name(word) for word in zones) or (".",)


def _response_class(answer: Message) -> str:
    if answer.rcode == message.NXDOMAIN or (answer.rcode == message.NOERROR and not answer.answers):
        return "denial"
    return "success" if answer.rcode == message.NOERROR else "error"


def _shuffled(answer: Message) -> Message:
    """Addresses in random order, everything else first (the loadbalance plugin, round_robin)."""
    fixed: list[Record] = []
    addresses: list[Record] = []
    for record in answer.answers:
        (addresses if record.type in (message.A, message.AAAA) else fixed).append(record)
    random.shuffle(addresses)
    return replace(answer, answers=(*fixed, *addresses))
