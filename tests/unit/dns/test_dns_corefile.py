"""The Corefile."""

from __future__ import annotations

import pytest

from podwalk.dns import corefile
from podwalk.dns.corefile import CorefileError


def test_blocks_plugins_and_options() -> None:
    text = """
    # the cluster
    .:53 example.test {   # two zones
        errors
        health {
            lameduck 5s
        }
        kubernetes cluster.local 10.96.0.0/16 {
            pods insecure
            fallthrough in-addr.arpa
        }
        forward . /etc/resolv.conf "10.0.0.1" { max_concurrent 1000 }
        reload
    }
    stub.test:5353 { forward . 192.0.2.1 }
    """
    main, stub = corefile.parse(text)
    assert (main.zones, main.port) == ((".", "example.test."), 53)
    assert [d.name for d in main.directives] == ["errors", "health", "kubernetes", "forward", "reload"]
    kubernetes, forward = main.plugin("kubernetes"), main.plugin("forward")
    assert kubernetes is not None
    assert kubernetes.option("pods") == ("insecure",)
    assert kubernetes.option("ttl") is None
    assert forward is not None
    assert forward.args == (".", "/etc/resolv.conf", "10.0.0.1")
    assert (stub.zones, stub.port) == (("stub.test.",), 5353)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (".:53 {\n  names cluster.local\n}", "Corefile:2 - Error during parsing: Unknown directive 'names'"),
        (".:53 {\n  errors\n", "Unexpected EOF, expecting '}'"),
        (".:53", "Unexpected EOF, expecting '{'"),
        (".:53 { errors }\n.:53 { log }", "cannot serve dns://.:53 - it is already defined"),
        (".:http { errors }", "invalid port 'http'"),
    ],
)
def test_mistakes_are_named(text: str, says: str) -> None:
    with pytest.raises(CorefileError) as error:
        corefile.parse(text)
    assert says in str(error.value)


@pytest.mark.parametrize(("text", "value"), [("5s", 5), ("500ms", 0.5), ("1m30s", 90), ("2", 2)])
def test_durations(text: str, value: float) -> None:
    assert corefile.seconds(text) == value


def test_a_reverse_zone_may_be_written_as_a_network() -> None:
    assert corefile.zone_name("10.96.0.0/16") == "96.10.in-addr.arpa."
