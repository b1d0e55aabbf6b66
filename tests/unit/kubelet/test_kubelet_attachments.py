"""The annotation that asks for more interfaces, and the one that says what became of it."""

import pytest

from podwalk.kubelet import attachments
from podwalk.kubelet.attachments import Attachment, AttachmentError


def pod(networks):
    return {"metadata": {"name": "p", "namespace": "default", "annotations": {attachments.NETWORKS: networks}}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a", [("default", "a", "net1")]),
        ("a, other/b", [("default", "a", "net1"), ("other", "b", "net2")]),
        ("a@fast0,b", [("default", "a", "fast0"), ("default", "b", "net2")]),
        ('[{"name": "a"}]', [("default", "a", "net1")]),
        ('[{"name": "a", "namespace": "o", "interface": "x"}]', [("o", "a", "x")]),
    ],
)
def test_what_is_asked_for(text, expected):
    assert [(a.namespace, a.name, a.interface) for a in attachments.requested(pod(text))] == expected


@pytest.mark.parametrize("text", ["a/b/c", "a@b@c", "[", "[1]", '[{"namespace": "a"}]', "a,,b"])
def test_what_is_no_request(text):
    with pytest.raises(AttachmentError, match="parsePodNetwork"):
        attachments.requested(pod(text))


def test_addresses_go_to_plugins_that_take_them():
    (asked,) = attachments.requested(pod('[{"name": "a", "ips": ["10.0.0.1/24"], "mac": "02:00:00:00:00:01"}]'))
    assert asked.capability_args == {"ips": ["10.0.0.1/24"], "mac": "02:00:00:00:00:01"}
    assert Attachment("default", "a", "net1").capability_args == {}


def test_a_configuration_of_one_plugin_or_of_several():
    one = {"cniVersion": "0.3.1", "type": "macvlan"}
    assert attachments.network_list("lan", one) == {"name": "lan", "cniVersion": "0.3.1", "plugins": [one]}
    many = {"cniVersion": "1.0.0", "name": "own", "plugins": [{"type": "a"}, {"type": "b"}]}
    assert attachments.network_list("lan", many)["name"] == "own"
    for nothing in ({}, {"plugins": []}, {"plugins": [{"name": "x"}]}):
        with pytest.raises(ValueError, match="names no plugin type"):
            attachments.network_list("lan", nothing)


def test_what_a_pod_got():
    result = {
        "interfaces": [{"name": "veth1", "mac": "aa:aa:aa:aa:aa:aa"}, {"name": "net1", "mac": "m", "sandbox": "/x"}],
        "ips": [{"address": "10.0.0.1/24"}],
    }
    assert attachments.status("default/a", "net1", result) == {
        "name": "default/a",
        "interface": "net1",
        "ips": ["10.0.0.1"],
        "mac": "m",
        "dns": {},
    }
    assert attachments.status("cbr0", "eth0", {}, default=True)["default"] is True
