"""Addresses from blocks."""

import pytest

from podwalk.network.calico.ipam import ExhaustedError, Ipam, blocks_of


@pytest.fixture
def ipam(tmp_path):
    made = Ipam(tmp_path / "ipam.json")
    made.initialise("10.244.1.0/25")
    return made


def test_blocks():
    assert blocks_of("10.244.1.0/24") == ["10.244.1.0/26", "10.244.1.64/26", "10.244.1.128/26", "10.244.1.192/26"]
    assert blocks_of("10.244.1.0/28") == ["10.244.1.0/28"]


def test_the_first_block_is_claimed_and_its_first_address_given(ipam):
    assert ipam.blocks() == ["10.244.1.0/26"]
    assert ipam.assign("a", {}) == "10.244.1.0"
    assert ipam.assign("b", {}) == "10.244.1.1"
    assert ipam.assign("a", {}) == "10.244.1.0"


def test_an_address_rests_before_it_is_given_again(ipam):
    ipam.assign("a", {"device": "cali1"})
    assert ipam.release("a") == {"handle": "a", "device": "cali1"}
    assert ipam.release("a") is None
    assert ipam.assign("b", {}) == "10.244.1.1"
    for n in range(62):
        ipam.assign(f"n{n}", {})
    assert ipam.assign("last", {}) == "10.244.1.0"


def test_a_full_block_claims_the_next_and_then_there_is_an_end(ipam):
    given = {ipam.assign(str(n), {}) for n in range(128)}
    assert len(given) == 128
    assert ipam.blocks() == ["10.244.1.0/26", "10.244.1.64/26"]
    with pytest.raises(ExhaustedError, match=r"10\.244\.1\.64/26"):
        ipam.assign("one too many", {})


def test_who_owns_a_device(ipam):
    ipam.assign("old", {"device": "cali1"})
    ipam.assign("new", {"device": "cali1"})
    ipam.release("old")
    assert ipam.holder("cali1") == "new"
    assert ipam.holder("cali2") is None


def test_a_start_again_keeps_what_was_given(ipam, tmp_path):
    ipam.assign("a", {})
    Ipam(tmp_path / "ipam.json").initialise("10.244.1.0/25")
    assert ipam.assign("a", {}) == "10.244.1.0"
    ipam.initialise("10.244.9.0/24")
    assert ipam.blocks() == ["10.244.9.0/26"]
