"""Who may do what, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from api_world import JANE, Api, eventually

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ROLES = f"{RBAC}/namespaces/default/roles"
BINDINGS = f"{RBAC}/namespaces/default/rolebindings"
PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"


def role(name: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "rules": list(rules)}


def rule(verbs: str, resources: str, group: str = "", **more: Any) -> dict[str, Any]:
    return {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split(), **more}


def binding(name: str, to: str, subject: str = "jane", kind: str = "User", of: str = "Role") -> dict[str, Any]:
    who = {"kind": kind, "name": subject}
    if kind == "ServiceAccount":
        who["namespace"] = "default"
    return {
        "metadata": {"name": name},
        "subjects": [who],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": of, "name": to},
    }


@pytest.fixture
def jane(api: Api) -> Api:
    return api.as_user(JANE)


async def allow(api: Api, *rules: dict[str, Any]) -> None:
    await api.ok("POST", ROLES, role("some", *rules))
    await api.ok("POST", BINDINGS, binding("jane", "some"))


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        (
            "GET",
            PODS,
            'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "default"',
        ),
        (
            "GET",
            f"{PODS}/p/log",
            'pods "p" is forbidden: User "jane" cannot get resource "pods/log" in API group "" in the namespace '
            '"default"',
        ),
        (
            "GET",
            "/apis/apps/v1/deployments?watch=true",
            'deployments.apps is forbidden: User "jane" cannot watch resource "deployments" in API group "apps" at the '
            "cluster scope",
        ),
        (
            "DELETE",
            "/api/v1/nodes/one",
            'nodes "one" is forbidden: User "jane" cannot delete resource "nodes" in API group "" at the cluster scope',
        ),
        (
            "GET",
            "/apis/nobody.example.com/v1/things",
            'things.nobody.example.com is forbidden: User "jane" cannot list resource "things" in API group '
            '"nobody.example.com" at the cluster scope',
        ),
        ("GET", "/metrics", 'forbidden: User "jane" cannot get path "/metrics"'),
    ],
)
async def test_refusals(jane: Api, method: str, path: str, message: str) -> None:
    told = await jane.refused(method, path, code=403)
    assert (told["reason"], told["message"]) == ("Forbidden", message)


async def test_everybody_may_look_around(api: Api, jane: Api) -> None:
    for path in ("/api", "/apis", "/apis/apps/v1", "/openapi/v3", "/version"):
        assert (await jane("GET", path)).status == 200, path
    nobody = api.as_user(None)
    assert (await nobody("GET", "/version")).status == 200
    told = await nobody.refused("GET", "/api", code=403)
    assert told["message"] == 'forbidden: User "system:anonymous" cannot get path "/api"'


async def test_a_role_gives_what_it_says_and_no_more(api: Api, jane: Api) -> None:
    await allow(api, rule("get list", "configmaps"), rule("get", "pods/log"))
    assert (await jane("GET", MAPS)).status == 200
    assert (await jane("POST", MAPS, {"metadata": {"name": "x"}})).status == 403
    assert (await jane("GET", f"{PODS}/p/log")).status == 404
    assert (await jane("GET", f"{PODS}/p")).status == 403
    assert (await jane("GET", "/api/v1/configmaps")).status == 403
    await api.ok("DELETE", f"{BINDINGS}/jane")
    assert (await jane("GET", MAPS)).status == 403


async def test_resource_names(api: Api, jane: Api) -> None:
    await allow(api, rule("get delete list", "configmaps", resourceNames=["mine"]))
    await api.ok("POST", MAPS, {"metadata": {"name": "mine"}})
    assert (await jane("GET", f"{MAPS}/mine")).status == 200
    assert (await jane("GET", f"{MAPS}/other")).status == 403
    assert (await jane("GET", MAPS)).status == 403
    assert (await jane("GET", f"{MAPS}?fieldSelector=metadata.name%3Dmine")).status == 200


async def test_groups_and_wildcards(api: Api, jane: Api) -> None:
    await api.ok("POST", f"{RBAC}/clusterroles", role("reader", rule("get", "*/status"), rule("*", "secrets")))
    await api.ok("POST", f"{RBAC}/clusterrolebindings", binding("devs", "reader", "developers", "Group", "ClusterRole"))
    assert (await jane("GET", f"{PODS}/p/status")).status == 404
    assert (await jane("GET", f"{PODS}/p")).status == 403
    assert (await jane("DELETE", "/api/v1/namespaces/default/secrets")).status == 200


async def test_a_binding_to_a_missing_role_says_so(api: Api, jane: Api) -> None:
    await api.ok("POST", BINDINGS, binding("jane", "nowhere"))
    told = await jane.refused("GET", MAPS, code=403)
    assert told["message"].endswith(
        'in the namespace "default": RBAC: role.rbac.authorization.k8s.io "nowhere" not found'
    )


async def test_edit_and_view_are_aggregated(api: Api, jane: Api) -> None:
    await api.ok("POST", BINDINGS, binding("jane", "view", of="ClusterRole"))
    assert (await jane("GET", MAPS)).status == 200
    assert (await jane("GET", "/api/v1/namespaces/default/secrets")).status == 403
    edit = await api.ok("GET", f"{RBAC}/clusterroles/edit")
    assert any("secrets" in r["resources"] for r in edit["rules"])
    assert any("endpointslices" in r["resources"] for r in edit["rules"])
    more = role("boxes", rule("get", "boxes", "example.com"))
    more["metadata"]["labels"] = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    await api.ok("POST", f"{RBAC}/clusterroles", more)

    async def seen() -> bool:
        found = await api.ok("GET", f"{RBAC}/clusterroles/admin")
        return any(r.get("apiGroups") == ["example.com"] for r in found["rules"])

    await eventually(seen)


async def test_nobody_gives_what_he_has_not(api: Api, jane: Api) -> None:
    await allow(api, rule("get", "configmaps"), rule("*", "roles rolebindings", "rbac.authorization.k8s.io"))
    # A star holds the verbs escalate and bind too, so it is taken away again.
    verbs = "create get update delete patch"
    patch = {"rules": [rule("get", "configmaps"), rule(verbs, "roles rolebindings", "rbac.authorization.k8s.io")]}
    await api.ok("PATCH", f"{ROLES}/some", patch, content_type="application/merge-patch+json")
    await jane.ok("POST", ROLES, role("fine", rule("get", "configmaps")))
    told = await jane.refused("POST", ROLES, role("more", rule("get list", "secrets")), code=403)
    assert told["message"] == (
        'roles.rbac.authorization.k8s.io "more" is forbidden: user "jane" (groups=["developers" '
        '"system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}'
    )
    await jane.ok("POST", BINDINGS, binding("share", "fine", "joe"))
    told = await jane.refused("POST", BINDINGS, binding("top", "cluster-admin", of="ClusterRole"), code=403)
    assert told["message"].startswith('rolebindings.rbac.authorization.k8s.io "top" is forbidden')


async def test_a_role_reference_never_changes(api: Api) -> None:
    await api.ok("POST", BINDINGS, binding("b", "one"))
    told = await api.refused("PUT", f"{BINDINGS}/b", binding("b", "two"), code=422)
    assert "cannot change roleRef" in told["message"]


async def test_a_token_of_a_service_account_is_limited_to_its_namespace(api: Api) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    await api.ok("POST", accounts, {"metadata": {"name": "learner"}})
    made = await api.ok("POST", f"{accounts}/learner/token", {"spec": {}})
    learner = api.as_user(made["status"]["token"])
    assert (await learner("GET", MAPS)).status == 403
    await api.ok("POST", BINDINGS, binding("l", "edit", "learner", "ServiceAccount", "ClusterRole"))
    await learner.ok("POST", MAPS, {"metadata": {"name": "mine"}})
    told = await learner.refused("GET", "/api/v1/namespaces/kube-system/configmaps", code=403)
    assert told["message"] == (
        'configmaps is forbidden: User "system:serviceaccount:default:learner" cannot list resource "configmaps" in '
        'API group "" in the namespace "kube-system"'
    )


async def test_reviews_tell_the_truth(api: Api, jane: Api) -> None:
    await allow(api, rule("get", "configmaps"))
    url = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

    def asked(verb: str) -> dict[str, Any]:
        return {"spec": {"resourceAttributes": {"verb": verb, "resource": "configmaps", "namespace": "default"}}}

    assert (await jane.ok("POST", url, asked("get")))["status"] == {
        "allowed": True,
        "reason": 'RBAC: allowed by RoleBinding "jane/default" of Role "some" to User "jane"',
    }
    assert (await jane.ok("POST", url, asked("list")))["status"] == {"allowed": False}
    assert (await api.ok("POST", url, asked("list")))["status"] == {"allowed": True}
    about = {**asked("get")["spec"], "user": "jane"}
    others = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    assert (await api.ok("POST", others, {"spec": about}))["status"]["allowed"] is True
    assert (await jane("POST", others, {"spec": about})).status == 403
    local = "/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews"
    assert (await api.ok("POST", local, {"spec": about}))["status"]["allowed"] is True
    rules = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    status = (await jane.ok("POST", rules, {"spec": {"namespace": "default"}}))["status"]
    assert {"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"]} in status["resourceRules"]
    await api.refused("POST", url, {"spec": {}}, code=422)


async def test_impersonation(api: Api, jane: Api) -> None:
    who = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    headers = {"Impersonate-User": "joe", "Impersonate-Group": "ops"}
    seen = await api.ok("POST", who, {}, headers=headers)
    assert seen["status"]["userInfo"] == {"username": "joe", "groups": ["ops", "system:authenticated"]}
    account = {"Impersonate-User": "system:serviceaccount:default:x"}
    seen = await api.ok("POST", who, {}, headers=account)
    assert seen["status"]["userInfo"]["groups"] == [
        "system:serviceaccounts",
        "system:serviceaccounts:default",
        "system:authenticated",
    ]
    told = await api.refused("GET", MAPS, code=403, headers=headers)
    assert told["message"].startswith('configmaps is forbidden: User "joe" cannot list')
    told = await jane.refused("GET", MAPS, code=403, headers=headers)
    assert told["message"] == (
        'users "joe" is forbidden: User "jane" cannot impersonate resource "users" in API group "" at the cluster scope'
    )
    await api.refused("GET", MAPS, code=500, headers={"Impersonate-Group": "ops"})


async def test_a_selector_that_means_nothing_aggregates_nothing(api: Api) -> None:
    wrong = {"matchExpressions": [{"key": "a", "operator": "Near", "values": ["b"]}]}
    odd = {"metadata": {"name": "odd"}, "aggregationRule": {"clusterRoleSelectors": [wrong]}}
    await api("POST", f"{RBAC}/clusterroles", odd)
    good = {"metadata": {"name": "good"}}
    good["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {"x": "y"}}]}  # type: ignore[dict-item]
    await api.ok("POST", f"{RBAC}/clusterroles", good)
    part = role("part", rule("get", "pods"))
    part["metadata"]["labels"] = {"x": "y"}
    await api.ok("POST", f"{RBAC}/clusterroles", part)

    async def aggregated() -> bool:
        return bool((await api.ok("GET", f"{RBAC}/clusterroles/good")).get("rules"))

    await eventually(aggregated)


async def test_an_upgrade_needs_create(api: Api, jane: Api) -> None:
    await allow(api, rule("get", "pods/exec pods/portforward"))
    told = await jane.refused("GET", f"{PODS}/p/exec?command=id", code=403)
    assert told["message"] == (
        'pods "p" is forbidden: User "jane" cannot create resource "pods/exec" in API group "" in the namespace '
        '"default"'
    )
    await api.ok("POST", ROLES, role("more", rule("create", "pods/exec")))
    await api.ok("POST", BINDINGS, binding("jane-more", "more"))
    assert (await jane("GET", f"{PODS}/p/exec?command=id")).status == 404
