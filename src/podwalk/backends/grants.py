"""What the owner of a cluster gives to a learner: namespaces, an identity, and rights in those namespaces only.

The learner is a ServiceAccount in a namespace of their own, with Kubernetes' ClusterRole ``admin`` in each namespace of
the labs. All that is made carries the learner's mark, and is removed by that mark and by nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.backends.base import BackendError, Completed, run_kubectl
from podwalk.backends.names import Names
from podwalk.backends.tenant import GRANTED
from podwalk.client.sync import SyncClient

_RBAC = "rbac.authorization.k8s.io"
_ACCOUNT = "learner"
_TOKEN_HOURS = 30 * 24
_SECONDS = 180.0
# Not the manager of the labs: applying a namespace of theirs would take off what is not repeated.
_FIELD_MANAGER = "podwalk-grant"
_LEARNER = re.compile(r"[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?")
# Namespaces take along what is in them.
_KINDS = "namespaces,clusterroles,clusterrolebindings"
# For what the labs hand out by hand and Kubernetes' own ``admin`` only reads.
_ALSO: list[Object] = [
    {"apiGroups": [""], "resources": ["endpoints"], "verbs": ["create", "delete", "patch", "update"]},
    {
        "apiGroups": ["discovery.k8s.io"],
        "resources": ["endpointslices"],
        "verbs": ["create", "delete", "patch", "update"],
    },
]


@dataclass(frozen=True, slots=True)
class Grant:
    """Whose it is, and the names of the namespaces that go with it."""

    learner: str
    names: Names

    @property
    def home(self) -> str:
        """The namespace of the identity itself, as the cluster calls it."""
        return f"{self.learner}-podwalk"

    @property
    def user(self) -> str:
        """The name by which the API server knows the learner."""
        return f"system:serviceaccount:{self.home}:{_ACCOUNT}"

    def objects(self) -> Iterator[Object]:
        """All of it, as manifests, in the order of their making."""
        mark = {GRANTED: self.learner}
        spaces = sorted(self.names.real(name) for name in self.names.namespaces)
        for space in (self.home, *spaces):
            yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space, "labels": mark}}
        account = {"name": _ACCOUNT, "namespace": self.home}
        yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {**account, "labels": mark}}
        subjects = [{"kind": "ServiceAccount", **account}]
        role = f"podwalk-{self.learner}"
        yield _role(role, mark, [*self._of_namespaces(spaces), *_OF_THE_CLUSTER])
        yield _binding("ClusterRoleBinding", {"name": role, "labels": mark}, role, subjects)
        yield _role(f"{role}-endpoints", mark, _ALSO)
        for space in spaces:
            for granted in ("admin", f"{role}-endpoints"):
                name = granted if granted != "admin" else f"{role}-admin"
                yield _binding("RoleBinding", {"name": name, "namespace": space, "labels": mark}, granted, subjects)

    def _of_namespaces(self, spaces: list[str]) -> list[Object]:
        """Labels of their own namespaces are the learner's to change: policies select by them."""
        change = {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": spaces}
        return [{**change, "verbs": ["patch", "update"]}]


# Nodes are on every map; who else is there is read from the names of namespaces.
_OF_THE_CLUSTER: list[Object] = [
    {"apiGroups": [""], "resources": ["nodes", "namespaces"], "verbs": ["get", "list", "watch"]},
]


def check_learner(name: str) -> str:
    """The name, if namespaces can begin with it. Raises BackendError."""
    if not _LEARNER.fullmatch(name):
        raise BackendError(
            f"learner {name!r}: cannot begin the name of a namespace; use up to 20 small letters, digits and hyphens"
        )
    return name


class Owner:
    """Who gives: a context of somebody's kubeconfig, used through kubectl, which knows every way to log in."""

    def __init__(self, kubeconfig: Path, context: str) -> None:
        self.kubeconfig, self.context = kubeconfig, context

    def may(self, verb: str, resource: str) -> bool:
        """What ``kubectl auth can-i`` says, about all namespaces. Raises BackendError."""
        done = self._run("auth", "can-i", verb, resource, "--all-namespaces")
        if done.stdout.strip() not in ("yes", "no"):
            self._raise(done)
        return done.stdout.strip() == "yes"

    def may_grant(self) -> bool:
        """Whether they may make namespaces and hand out rights in them. Raises BackendError."""
        wanted = ("namespaces", f"clusterroles.{_RBAC}", f"rolebindings.{_RBAC}")
        return all(self.may("create", resource) for resource in wanted)

    def make(self, grant: Grant) -> None:
        """Put it into the cluster; what is there already and carries the learner's mark stays.

        Raises BackendError, among others where a name is taken by somebody else.
        """
        objects = list(grant.objects())
        self._refuse_strangers(objects, grant)
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self._succeed("apply", "--server-side", f"--field-manager={_FIELD_MANAGER}", "-f", "-", input=text)

    def token(self, grant: Grant) -> str:
        """A token that proves the learner, for thirty days where the cluster gives that long. Raises BackendError."""
        asked = ("create", "token", _ACCOUNT, f"--namespace={grant.home}", f"--duration={_TOKEN_HOURS}h")
        return self._succeed(*asked).strip()

    def remove(self, learner: str) -> None:
        """Delete everything with the learner's mark, and wait until it is gone. Raises BackendError."""
        self._succeed("delete", _KINDS, f"--selector={GRANTED}={learner}", "--ignore-not-found")

    def cluster(self) -> Object:
        """The cluster's entry of the kubeconfig, with its authority in it. Raises BackendError."""
        text = self._succeed("config", "view", "--raw", "--minify", "--flatten", "-o", "json")
        found: Object = json.loads(text)["clusters"][0]["cluster"]
        for field in ("proxy-url", "insecure-skip-tls-verify", "tls-server-name"):
            if found.get(field):
                raise BackendError(f"{self.kubeconfig}: {field} is not known to podwalk; use a kubeconfig without it")
        return found

    def _refuse_strangers(self, objects: list[Object], grant: Grant) -> None:
        wanted = {(o["kind"], meta.name(o)) for o in objects}
        found = json.loads(self._succeed("get", _KINDS, "-o", "json"))["items"]
        for obj in found:
            if (obj["kind"], meta.name(obj)) not in wanted:
                continue
            what = f"{obj['kind'].lower()}/{meta.name(obj)}"
            if meta.labels(obj).get(GRANTED) != grant.learner:
                raise BackendError(f"{what}: exists and is not of learner {grant.learner}; choose another --learner")
            if meta.is_deleting(obj):
                raise BackendError(f"{what}: is still being deleted; try again in a moment")

    def _succeed(self, *args: str, input: str | None = None) -> str:
        done = self._run(*args, input=input)
        if not done.ok:
            self._raise(done)
        return done.stdout

    def _run(self, *args: str, input: str | None = None) -> Completed:
        return run_kubectl(self.kubeconfig, self.context, args, input, _SECONDS)

    def _raise(self, done: Completed) -> NoReturn:
        said = (done.stderr.strip().splitlines() or [f"kubectl ended with {done.returncode}"])[-1]
        raise BackendError(f"context {self.context} of {self.kubeconfig}: {said}")


def may(client: SyncClient, verb: str, resource: str, namespace: str) -> bool:
    """What ``kubectl auth can-i`` says to this client's user; ``namespace`` as the cluster calls it.

    Raises ApiError or OSError.
    """
    attributes = {"verb": verb, "resource": resource, "namespace": namespace}
    review: Object = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = client.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=review)
    return bool((answer.get("status") or {}).get("allowed"))


def _role(name: str, mark: dict[str, str], rules: list[Object]) -> Object:
    metadata: dict[str, Any] = {"name": name, "labels": mark}
    return {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules}


def _binding(kind: str, metadata: dict[str, Any], role: str, subjects: list[Object]) -> Object:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": kind,
        "metadata": metadata,
        "subjects": subjects,
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
    }
