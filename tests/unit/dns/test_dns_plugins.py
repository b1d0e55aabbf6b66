"""The plugins hosts, rewrite and template, and ``pods verified``, asked over the wire."""

from __future__ import annotations

from pathlib import Path

import pytest
from dns_world import KUBERNETES, serving, store, upstream

from podwalk.dns import corefile, message
from podwalk.dns.corefile import CorefileError
from podwalk.dns.hosts import Hosts
from podwalk.dns.message import Message, Record
from podwalk.dns.rewrite import Rewriter
from podwalk.dns.template import Template, TemplateError, parse_record


def block(inside: str) -> str:
    return f".:53 {{\n    errors\n{KUBERNETES}\n{inside}\n}}\n"


def addresses(answer: Message) -> list[tuple[str, str]]:
    return [(r.name, r.data) for r in answer.answers if r.type == message.A]


def test_hosts_answers_names_and_addresses() -> None:
    inline = "hosts /nowhere {\n 192.0.2.7 db.corp.test db\n 192.0.2.8 db.corp.test\n ttl 60\n fallthrough\n}"
    with serving(block(inline)) as running:
        answer = running.ask("db.corp.test.")
        assert sorted(addresses(answer)) == [("db.corp.test.", "192.0.2.7"), ("db.corp.test.", "192.0.2.8")]
        assert {r.ttl for r in answer.answers} == {60}
        assert answer.flags & message.AA
        names = [r.data for r in running.ask("7.2.0.192.in-addr.arpa.", message.PTR).answers]
        assert names == ["db.corp.test.", "db."]
        nodata = running.ask("db.corp.test.", message.AAAA)
        assert (nodata.rcode, nodata.answers) == (message.NOERROR, ())
        assert addresses(running.ask("web.shop.svc.cluster.local.")) == [("web.shop.svc.cluster.local.", "10.96.1.1")]


def test_hosts_without_fallthrough_denies_what_it_does_not_hold() -> None:
    with serving(block("hosts /nowhere corp.test {\n 192.0.2.7 *.corp.test\n}")) as running:
        assert addresses(running.ask("any.corp.test.")) == [("any.corp.test.", "192.0.2.7")]
        assert running.ask("corp.test.").rcode == message.NXDOMAIN
        assert running.ask("web.shop.svc.cluster.local.").answers


def test_a_hosts_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("192.0.2.1 one.test # the first\n")
    (parsed,) = corefile.parse(f". {{\n hosts {file} {{\n reload 1s\n }}\n}}")
    now = [0.0]
    hosts = Hosts(parsed.directives[0], (".",), clock=lambda: now[0])
    question = message.Question("one.test.", message.A)
    assert hosts.answer(question) == (message.NOERROR, (Record("one.test.", message.A, 3600, "192.0.2.1"),))
    file.write_text("192.0.2.2 one.test\n")
    assert hosts.answer(question) != (message.NOERROR, (Record("one.test.", message.A, 3600, "192.0.2.2"),))
    now[0] = 1.0
    assert hosts.answer(question) == (message.NOERROR, (Record("one.test.", message.A, 3600, "192.0.2.2"),))


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("rewrite name web.corp.test web.shop.svc.cluster.local", "web.corp.test."),
        ("rewrite name exact Web.Corp.Test web.shop.svc.cluster.local", "WEB.corp.test."),
        ("rewrite name suffix .corp.test .shop.svc.cluster.local answer auto", "web.corp.test."),
        ("rewrite name prefix old- web answer auto", "old-.shop.svc.cluster.local."),
        ("rewrite stop {\n name regex (.*)\\.corp\\.test {1}.shop.svc.cluster.local answer auto\n}", ""),
        (
            "rewrite stop {\n name regex (.*)\\.corp\\.test {1}.shop.svc.cluster.local\n"
            " answer name (.*)\\.shop\\.svc\\.cluster\\.local {1}.corp.test\n}",
            "web.corp.test.",
        ),
        (
            "rewrite continue name suffix .one.test .two.test answer auto\n"
            "rewrite name suffix .two.test .shop.svc.cluster.local answer auto",
            "web.one.test.",
        ),
    ],
)
def test_a_rewritten_name_is_answered_under_the_name_that_was_asked(rule: str, name: str) -> None:
    if not name:
        with pytest.raises(CorefileError, match="answer auto goes with exact, prefix and suffix only"):
            Rewriter(corefile.parse(f". {{\n{rule}\n}}")[0].directives)
        return
    with serving(block(rule)) as running:
        answer = running.ask(name)
    assert answer.question is not None
    assert answer.question.name == name
    assert addresses(answer) == [(name, "10.96.1.1")]


def test_without_an_answer_rule_the_answers_keep_the_other_name() -> None:
    with serving(block("rewrite name substring .corp.test .shop.svc.cluster.local")) as running:
        answer = running.ask("web.corp.test.")
    assert addresses(answer) == [("web.shop.svc.cluster.local.", "10.96.1.1")]
    assert answer.question is not None
    assert answer.question.name == "web.corp.test."


def test_the_first_rule_that_matches_is_the_last_unless_told_to_continue() -> None:
    rules = "rewrite name suffix .one.test .two.test\nrewrite name suffix .two.test .shop.svc.cluster.local"
    with serving(block(rules)) as running:
        assert running.ask("web.one.test.").rcode == message.SERVFAIL


def test_what_other_servers_say_is_turned_back_too() -> None:
    def answer(query: Message) -> Message:
        assert query.question is not None
        records = (
            Record(query.question.name, message.CNAME, 300, "edge.inner.test."),
            Record("edge.inner.test.", message.A, 300, "192.0.2.9"),
        )
        return query.reply(answers=records)

    with upstream(answer) as port:
        rule = f"rewrite name www.outer.test www.inner.test\nforward . 127.0.0.1:{port}"
        with serving(block(rule)) as running:
            alias, address = running.ask("www.outer.test.").answers
    assert (alias.name, alias.data) == ("www.outer.test.", "edge.inner.test.")
    assert address.name == "edge.inner.test."


def test_types_and_times_are_rewritten() -> None:
    rules = "rewrite continue ttl suffix .cluster.local 7\nrewrite type ANY A"
    with serving(block(rules)) as running:
        answer = running.ask("web.shop.svc.cluster.local.", message.ANY)
    assert [(r.type, r.ttl) for r in answer.answers] == [(message.A, 7)]


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ("rewrite name onlyone", "needs FIELD FROM TO"),
        ("rewrite edns0 local set 0xffee", "invalid rule type 'edns0'"),
        ("rewrite name regex ( x", "invalid regex"),
        ("rewrite type A NONSENSE", "invalid type"),
        ("rewrite ttl www.test soon", "invalid TTL"),
        ("rewrite name a.test b.test banana", "invalid arguments: 'banana'"),
        ("hosts {\n banana\n}", "unknown property 'banana'"),
        ("hosts {\n ttl soon\n}", "plugin/hosts"),
        ("template IN", "Wrong argument count"),
        ('template IN A {\n answer "{{ .Meta }}"\n}', "is not served here"),
        ("template IN A {\n match (\n}", "could not parse regex"),
        ("template IN A {\n rcode BANANA\n}", "unknown rcode BANANA"),
    ],
)
def test_a_wrong_line_is_refused_with_its_reason(rule: str, complaint: str) -> None:
    parsed = corefile.parse(f". {{\n{rule}\n}}")[0]
    (directive,) = parsed.directives
    plugins = {"rewrite": lambda: Rewriter([directive]), "hosts": lambda: Hosts(directive, parsed.zones)}
    make = plugins.get(directive.name, lambda: Template(directive, parsed.zones))
    with pytest.raises(CorefileError, match=complaint):
        make()


def test_a_template_writes_records_from_the_question() -> None:
    rules = (
        "template IN A example {\n match ^ip-(?P<a>\\d+)-(?P<b>\\d+)[.]example[.]$\n"
        ' answer "{{ .Name }} 60 IN A 192.0.{{ .Group.a }}.{{ .Group.b }}"\n'
        ' authority "example. 60 IN NS ns.example."\n fallthrough\n}\n'
        "template ANY ANY invalid {\n rcode NXDOMAIN\n"
        ' authority "invalid. 60 {{ .Class }} SOA ns.invalid. hostmaster.invalid. (1 60 60 60 60)"\n}\n'
        "template IN A hex.test {\n match ^x(?P<n>[a-f0-9]+)[.]\n"
        ' answer "{{ .Name }} IN A 192.0.2.{{ parseInt .Group.n 16 8 }}"\n}'
    )
    with serving(block(rules)) as running:
        answer = running.ask("ip-2-44.example.")
        assert addresses(answer) == [("ip-2-44.example.", "192.0.2.44")]
        assert [r.data for r in answer.authority] == ["ns.example."]
        assert running.ask("other.example.").rcode == message.SERVFAIL  # nobody comes after
        denied = running.ask("any.invalid.", message.AAAA)
        assert (denied.rcode, denied.authority[0].data[0]) == (message.NXDOMAIN, "ns.invalid.")
        assert addresses(running.ask("x12.hex.test.")) == [("x12.hex.test.", "192.0.2.18")]
        assert running.ask("xfff.hex.test.").rcode == message.SERVFAIL  # 192.0.2.4095 is no address
        assert running.ask("nomatch.hex.test.").rcode == message.SERVFAIL


def test_an_alias_from_a_template_is_followed() -> None:
    rule = 'template IN ANY go.test {\n answer "{{ .Name }} 60 IN CNAME web.shop.svc.cluster.local."\n}'
    with serving(block(rule)) as running:
        alias, address = running.ask("go.test.").answers
    assert (alias.data, address.data) == ("web.shop.svc.cluster.local.", "10.96.1.1")


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a.test 5 IN SRV 1 2 80 web.test", (1, 2, 80, "web.test.")),
        ('a.test TXT "v=1"', "v=1"),
        ("a.test IN 60 AAAA 2001:db8::1", "2001:db8::1"),
        ("a.test 60 IN MX 10 mx.test", b"\0\x0a\2mx\4test\0"),
    ],
)
def test_records_are_read_as_in_a_zone_file(text: str, data: object) -> None:
    record = parse_record(text)
    assert (record.name, record.data) == ("a.test.", data)


@pytest.mark.parametrize("text", ["", "a.test", "a.test IN A", "a.test IN A nonsense", "a.test IN A 2001:db8::1"])
def test_what_is_no_record_is_named(text: str) -> None:
    with pytest.raises(TemplateError, match="not a resource record"):
        parse_record(text)


def test_pods_verified_answers_for_pods_that_exist_in_that_namespace() -> None:
    known = store()
    pod = {"metadata": {"name": "web-1", "namespace": "shop"}, "status": {"podIP": "10.244.1.5", "phase": "Running"}}
    known.put("Pod", pod)
    known._with_pods = True  # there is no API server to watch
    with serving(block("").replace("insecure", "verified"), known) as running:
        assert addresses(running.ask("10-244-1-5.shop.pod.cluster.local.")) == [
            ("10-244-1-5.shop.pod.cluster.local.", "10.244.1.5")
        ]
        assert running.ask("10-244-1-5.default.pod.cluster.local.").rcode == message.NXDOMAIN
        assert running.ask("10-244-1-6.shop.pod.cluster.local.").rcode == message.NXDOMAIN
        known.put("Pod", {**pod, "status": {"podIP": "10.244.1.6", "phase": "Running"}})
        assert running.ask("10-244-1-5.shop.pod.cluster.local.").rcode == message.NXDOMAIN
        known.remove("Pod", pod)
        assert running.ask("10-244-1-6.shop.pod.cluster.local.").rcode == message.NXDOMAIN
