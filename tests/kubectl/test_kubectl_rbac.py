"""Roles and bindings, by kubectl."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import yaml

from podwalk.client.rest import Client, ClientConfig
from podwalk.cluster import learners


def test_a_learner_sees_one_namespace(kubectl: Any) -> None:
    namespace = kubectl.namespace
    who = f"--as=system:serviceaccount:{namespace}:learner"
    kubectl("create", "serviceaccount", "learner")
    told = kubectl.fails("get", "pods", who)
    assert told == (
        f'Error from server (Forbidden): pods is forbidden: User "system:serviceaccount:{namespace}:learner" cannot '
        f'list resource "pods" in API group "" in the namespace "{namespace}"\n'
    )
    kubectl("create", "rolebinding", "learner", "--clusterrole=edit", f"--serviceaccount={namespace}:learner")
    assert kubectl("get", "pods", who) == ""
    assert kubectl("auth", "can-i", "create", "deployments", who) == "yes\n"
    done = kubectl.run("auth", "can-i", "create", "deployments", "-n", "kube-system", who)
    assert (done.code, done.out) == (1, "no\n")
    token = kubectl("create", "token", "learner").strip()
    done = kubectl.run("auth", "whoami", f"--token={token}", "-o", "jsonpath={.status.userInfo.username}")
    assert done.out == f"system:serviceaccount:{namespace}:learner"
    assert kubectl.run("get", "nodes", f"--token={token}").code == 1
    listed = kubectl("auth", "can-i", "--list", who)
    assert "deployments.apps" in listed


def test_roles_are_created_described_and_reconciled(kubectl: Any) -> None:
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods,pods/log")
    kubectl("create", "rolebinding", "jane", "--role=reader", "--user=jane", "--group=devs")
    described = kubectl("describe", "role", "reader")
    assert "pods/log" in described
    assert "[get list]" in described
    wide = kubectl("get", "rolebindings", "-o", "wide").splitlines()
    assert wide[0].split() == ["NAME", "ROLE", "AGE", "USERS", "GROUPS", "SERVICEACCOUNTS"]
    assert wide[1].split()[0:2] == ["jane", "Role/reader"]
    assert kubectl("auth", "can-i", "get", "pods", "--subresource=log", "--as=jane") == "yes\n"
    assert kubectl.run("auth", "can-i", "get", "secrets", "--as=jane").out == "no\n"
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "reader", "namespace": kubectl.namespace},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
    }
    assert "reconciled" in kubectl("auth", "reconcile", "-f", "-", stdin=role)
    assert kubectl("auth", "can-i", "get", "secrets", "--as=jane") == "yes\n"
    assert kubectl("auth", "can-i", "get", "pods", "--as=jane") == "yes\n"
    patch = '{"roleRef":{"name":"other"}}'
    assert "cannot change roleRef" in kubectl.fails("patch", "rolebinding", "jane", "--type=merge", "-p", patch)


def test_nobody_gives_more_than_he_has(kubectl: Any) -> None:
    who = f"--as=system:serviceaccount:{kubectl.namespace}:default"
    args = ("--clusterrole=admin", f"--serviceaccount={kubectl.namespace}:default")
    kubectl("create", "rolebinding", "boss", *args)
    kubectl("create", "role", "mine", "--verb=get", "--resource=pods", who)
    told = kubectl.fails("create", "rolebinding", "top", "--clusterrole=cluster-admin", "--user=joe", who)
    assert "is attempting to grant RBAC permissions not currently held" in told
    assert '{APIGroups:["*"], Resources:["*"], Verbs:["*"]}' in told


def test_a_learner_gets_a_kubeconfig_for_his_namespace(kubectl: Any, api_server: Any, tmp_path: Any) -> None:
    loaded = yaml.safe_load(api_server.kubeconfig.read_text())
    cluster = loaded["clusters"][0]["cluster"]
    ca = base64.b64decode(cluster["certificate-authority-data"])
    config = ClientConfig(cluster["server"], loaded["users"][0]["user"]["token"], ca)

    async def run() -> learners.Learner:
        async with Client(config) as client:
            await learners.admit(client, "ann", kubectl.namespace)
            return await learners.admit(client, "ann", kubectl.namespace)

    ann = asyncio.run(run())
    path = tmp_path / "kubeconfig"
    path.write_text(ann.kubeconfig("course", int(cluster["server"].rpartition(":")[2]), ca))
    kubectl.kubeconfig = path
    assert kubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}") == ann.user
    kubectl("create", "configmap", "mine")
    assert kubectl("get", "configmaps", "-o", "name") == "configmap/mine\n"
    assert "Forbidden" in kubectl.fails("get", "configmaps", "-A")
    assert "Forbidden" in kubectl.fails("get", "roles", "-n", "kube-system")
