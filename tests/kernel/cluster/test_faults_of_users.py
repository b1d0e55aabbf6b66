"""Live faults from the command line, as we are and as an ordinary user: whoever may have a cluster may break it."""

from __future__ import annotations

import json

import pytest
from cluster_cli import Cli

pytestmark = [pytest.mark.kernel, pytest.mark.cluster, pytest.mark.timeout(240)]


def test_a_fault_in_a_pods_own_network_comes_and_goes(any_cli: Cli) -> None:
    assert any_cli.run("up", "--name", "broken").returncode == 0
    # It enters the Pod's network from its node, and the keeper enters the node from the fabric.
    done = any_cli.run("fault", "inject", "F07", "--name", "broken")
    assert done.returncode == 0, done.stderr
    assert "F07 is there" in done.stdout
    listed = json.loads(any_cli.run("fault", "status", "--json", "--name", "broken").stdout)
    assert [(r["fault"], r["hidden"]) for r in listed] == [("F07", False)]
    undone = any_cli.run("fault", "undo", "--json", "--name", "broken")
    assert json.loads(undone.stdout) == {"undone": ["F07"], "ill": {}, "left": [], "clean": True}, undone.stderr
    again = any_cli.run("fault", "undo", "--name", "broken")
    assert (again.returncode, "nothing was injected" in again.stdout) == (0, True)


def test_what_is_not_there_is_said(any_cli: Cli) -> None:
    cases = {
        ("inject", "F99", "--name", "none"): "fault F99: there is none; podwalk fault list shows them",
        ("inject", "F18", "--name", "none"): "cluster none is not running; start it: podwalk up --name none",
        ("undo", "--name", "none"): "cluster none is not running; start it: podwalk up --name none",
        ("list", "--layer", "moon"): "--layer moon: there is none; known: pod-network, services, ingress, policy, dns",
    }
    for args, said in cases.items():
        done = any_cli.run("fault", *args)
        assert done.returncode != 0
        assert done.stderr.strip() == f"podwalk: {said}"
    assert "F18" in any_cli.run("fault", "list").stdout
