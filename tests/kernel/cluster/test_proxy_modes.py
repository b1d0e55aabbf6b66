"""kube-proxy's other modes on a whole cluster, as we are and as an ordinary user."""

from __future__ import annotations

import pytest
from cluster_cli import Cli, complaint

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(400)]


def test_a_cluster_in_nftables_mode_proves_itself(any_cli: Cli) -> None:
    any_cli.up("modes", "--proxy-mode", "nftables")

    def on_the_worker(*argv: str) -> str:
        return any_cli.run("node", "--name", "modes", "worker", "--", *argv).stdout

    assert on_the_worker("curl", "-s", "http://127.0.0.1:10249/proxyMode") == "nftables"
    table = on_the_worker("nft", "list", "table", "ip", "kube-proxy")
    assert "10.96.0.1 . tcp . 443 : goto service-2QRHZV4L-default/kubernetes/tcp/https" in table
    assert "KUBE-SERVICES" not in on_the_worker("iptables-save")
    # Nobody has this port of the cluster's DNS, and kube-proxy says so.
    refused = on_the_worker("curl", "-sv", "--max-time", "5", "http://10.96.0.10:81/", "--stderr", "-")
    assert "refused" in refused.lower()


def test_a_mode_that_is_not_run_is_refused_with_the_cure(cli: Cli) -> None:
    line = complaint(cli.run("up", "--name", "modes", "--proxy-mode", "ipvs"), 2)
    assert "ipvs is not run" in line
    assert "use nftables" in line
