"""Patterns that always end, and mean what Python's mean where both read them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podwalk.apiserver.crd.regexp import Regexp, UnsupportedError

PATTERNS = [
    "a", "^a$", "a|b|", "^(a|b)*c$", "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "[^a]b", ".", "a.c", r"\d+",
    r"^\w+\s\S$", r"\ba\b", r"a\Bb", "^a{2,3}$", "^a{2}$", "^(ab?){0,2}c?$", "a+?b", "(?i)AB", "(?s)a.b", "",
    "^$", "x*", "(a*)*b", "^(?:a|ab)(?:c|bc)$", r"^\*?[a-c]+(\.[a-c]+)*$", r"[\d.-]", r"[^\d\s]",
    "^((a|b)(b|c)?)+$", r"\Aab", "é+",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(text=st.text(alphabet="abcABC019-. _*é\t", max_size=8))
def test_it_says_what_re_says(pattern: str, text: str) -> None:
    assert Regexp(pattern).search(text) == bool(re.search(pattern, text, re.ASCII if "\\" in pattern else 0)), text


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "^(a*)*$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_nothing_takes_it_long(pattern: str) -> None:
    compiled = Regexp(pattern)
    compiled.search("a" * 5000 + "!")  # re would take longer than the universe has
    assert not compiled.search("x" * 5000 + "!")


def test_an_end_is_the_end() -> None:
    """Go's $ does not stop before a last newline."""
    assert not Regexp("^a$").search("a\n")
    assert Regexp(r"^a\z").search("a")


@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1", "a{5000}", "(((a{99}){99}){99})", "(?<!a)b", "(?m)^a"])
def test_what_it_does_not_read_it_refuses(pattern: str) -> None:
    with pytest.raises(UnsupportedError):
        Regexp(pattern)
