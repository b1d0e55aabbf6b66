"""Calico's selectors."""

import pytest

from podwalk.network.calico.selector import SelectorError, parse

LABELS = {"role": "reflector", "rack": "a", "app.kubernetes.io/name": "x"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("all()", True),
        ("!all()", False),
        ("has(role)", True),
        ("has(zone)", False),
        ("role == 'reflector'", True),
        ('role == "other"', False),
        ("role != 'other'", True),
        ("zone != 'x'", True),
        ("rack in {'a', 'b'}", True),
        ("rack not in {'a', 'b'}", False),
        ("zone not in {'a'}", True),
        ("has(zone) || rack == 'a'", True),
        ("has(zone) && rack == 'a' || has(role)", True),
        ("has(zone) && (rack == 'a' || has(role))", False),
        ("!has(zone) && !(rack == 'b')", True),
        ("app.kubernetes.io/name == 'x'", True),
        ("in == 'x'", False),
    ],
)
def test_selectors(text, matches):
    assert parse(text)(LABELS) is matches


@pytest.mark.parametrize(
    "text", ["role = 'x'", "role ==", "has(", "(all()", "role == x", "all() all()", "'x'", "rack in 'a'", "&&", "a # b"]
)
def test_what_is_no_selector(text):
    with pytest.raises(SelectorError, match="selector"):
        parse(text)
