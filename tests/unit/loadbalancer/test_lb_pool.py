"""Who gets which address."""

from __future__ import annotations

import pytest

from podwalk.loadbalancer.pool import AllocationError, Pool


def test_the_lowest_free_address_is_given_and_kept() -> None:
    pool = Pool("192.0.2.10-192.0.2.12")
    assert [pool.assign(s) for s in ("a/x", "a/y", "a/x")] == ["192.0.2.10", "192.0.2.11", "192.0.2.10"]
    pool.release("a/x")
    assert pool.assign("a/z") == "192.0.2.10"


def test_a_wish_is_honoured_and_frees_what_was_held() -> None:
    pool = Pool("192.0.2.8/29")
    assert pool.assign("a/x") == "192.0.2.8"
    assert pool.assign("a/x", "192.0.2.13") == "192.0.2.13"
    assert pool.assign("a/y") == "192.0.2.8"


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ("203.0.113.1", '["203.0.113.1"] is not allowed in config'),
        ("nonsense", 'invalid spec.loadBalancerIP "nonsense"'),
        ("192.0.2.10", 'can\'t change sharing key for "a/new", address also in use by a/old'),
    ],
)
def test_a_wish_that_cannot_be_met_says_why_and_changes_nothing(wish: str, reason: str) -> None:
    pool = Pool("192.0.2.10-192.0.2.12")
    pool.assign("a/old")
    pool.assign("a/new", "192.0.2.12")
    with pytest.raises(AllocationError) as caught:
        pool.assign("a/new", wish)
    assert str(caught.value) == reason
    assert pool.address_of("a/new") == "192.0.2.12"


def test_an_exhausted_pool_says_so() -> None:
    pool = Pool("192.0.2.10-192.0.2.10")
    pool.assign("a/x")
    with pytest.raises(AllocationError, match=r"^no available IPs$"):
        pool.assign("a/y")


@pytest.mark.parametrize("text", ["192.0.2.9-192.0.2.1", "192.0.2.1-x", "192.0.2.1/24"])
def test_a_range_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"192|octets"):
        Pool(text)
