"""What writes: create, apply, patch, replace, edit, diff, delete, label, set, scale …"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import orjson
import yaml
from verb_table import verb

PAUSE = "registry.k8s.io/pause:3.10"
CREATED: dict[tuple[str, ...], str] = {
    ("clusterrole", "{ns}", "--verb=get", "--resource=pods"): "clusterrole.rbac.authorization.k8s.io/{ns}",
    (
        "clusterrolebinding",
        "{ns}",
        "--clusterrole=view",
        "--user=u",
    ): "clusterrolebinding.rbac.authorization.k8s.io/{ns}",
    ("configmap", "c", "--from-literal=a=b"): "configmap/c",
    ("cronjob", "c", f"--image={PAUSE}", "--schedule=0 0 1 1 *"): "cronjob.batch/c",
    ("deployment", "d", f"--image={PAUSE}", "--replicas=0"): "deployment.apps/d",
    ("ingress", "i", "--class=nginx", "--rule=a.example.com/*=web:80"): "ingress.networking.k8s.io/i",
    ("job", "j", f"--image={PAUSE}"): "job.batch/j",
    ("job", "k", "--from=cronjob/c"): "job.batch/k",
    ("namespace", "{ns}-x"): "namespace/{ns}-x",
    ("poddisruptionbudget", "b", "--selector=app=x", "--min-available=1"): "poddisruptionbudget.policy/b",
    ("priorityclass", "{ns}", "--value=5"): "priorityclass.scheduling.k8s.io/{ns}",
    ("quota", "q", "--hard=pods=50"): "resourcequota/q",
    ("role", "r", "--verb=get", "--resource=pods"): "role.rbac.authorization.k8s.io/r",
    ("rolebinding", "r", "--role=r", "--user=u"): "rolebinding.rbac.authorization.k8s.io/r",
    ("secret", "generic", "s", "--from-literal=a=b"): "secret/s",
    ("service", "clusterip", "s1", "--tcp=80:8080"): "service/s1",
    ("service", "nodeport", "s2", "--tcp=80"): "service/s2",
    ("service", "loadbalancer", "s3", "--tcp=80"): "service/s3",
    ("service", "externalname", "s4", "--external-name=example.com"): "service/s4",
    ("serviceaccount", "a"): "serviceaccount/a",
}


@verb("create", "create token", *(f"create {line[0]}" for line in CREATED))
def creates_each_kind(k: Any) -> None:
    cluster_wide = []
    try:
        for line, told in CREATED.items():
            filled = [word.replace("{ns}", k.namespace) for word in line]
            name = told.replace("{ns}", k.namespace)
            if k.namespace in name:
                cluster_wide.append(name)
            assert k("create", *filled) == f"{name} created\n"
            assert name.partition("/")[0].partition(".")[0] in k("get", name, "-o", "name")
        assert k("create", "token", "a", "--duration=10m").count(".") == 2
        assert "already exists" in k.fails("create", "configmap", "c")
    finally:
        for name in cluster_wide:
            k("delete", name, "--wait=false")


def deployment(**spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": PAUSE, "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"set": "x"}},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template, **spec},
    }  # fmt: skip


@verb("apply", "diff", "apply view-last-applied", "apply set-last-applied", "apply edit-last-applied")
def apply_by_the_client(k: Any) -> None:
    assert k("apply", "-f", "-", stdin=deployment()) == "deployment.apps/web created\n"
    assert k("apply", "-f", "-", stdin=deployment()) == "deployment.apps/web unchanged\n"
    assert k("diff", "-f", "-", stdin=deployment()) == ""
    more = deployment(replicas=0, minReadySeconds=5)
    changed = k.run("diff", "-f", "-", stdin=more)
    lines = [line for line in changed.out.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert changed.code == 1
    assert [line[1:].strip() for line in lines] == ["generation: 1", "generation: 2", "minReadySeconds: 5"]
    assert k("apply", "--dry-run=server", "-f", "-", stdin=more) == "deployment.apps/web configured (server dry run)\n"
    assert "minReadySeconds" not in k.json("get", "deployment", "web")["spec"]
    # What somebody else wrote stays; what was applied and is gone, goes.
    k("label", "deployment", "web", "other=y")
    more["metadata"]["labels"] = {"new": "z"}
    k("apply", "-f", "-", stdin=more)
    assert k.json("get", "deployment", "web")["metadata"]["labels"] == {"new": "z", "other": "y"}
    assert "minReadySeconds: 5" in k("apply", "view-last-applied", "deployment/web")
    k("apply", "set-last-applied", "-f", "-", stdin=deployment())
    assert "minReadySeconds" not in k("apply", "view-last-applied", "deployment/web")
    k.env["KUBE_EDITOR"] = "sed -i 's/replicas: 0/replicas: 1/'"
    assert "edited" in k("apply", "edit-last-applied", "deployment/web")
    assert "replicas: 1" in k("apply", "view-last-applied", "deployment/web")


@verb("apply")
def apply_prunes(k: Any) -> None:
    both = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": n, "labels": {"s": "x"}}} for n in "ab"]
    k("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": both})
    allowed = "--prune-allowlist=core/v1/ConfigMap"
    assert "configmap/b pruned" in k("apply", "--prune", "-l", "s=x", allowed, "-f", "-", stdin=both[0])
    assert "configmap/a" in k("get", "configmap", "-l", "s=x", "-o", "name")


@verb("apply", "diff")
def apply_by_the_server(k: Any) -> None:
    assert k("apply", "--server-side", "-f", "-", stdin=deployment()) == "deployment.apps/web serverside-applied\n"
    refused = k.fails("apply", "--server-side", "--field-manager=o", "-f", "-", stdin=deployment(replicas=1))
    assert 'Apply failed with 1 conflict: conflict with "kubectl": .spec.replicas' in refused
    assert k.run("diff", "--server-side", "-f", "-", stdin=deployment()).out == ""
    # A second manager shares a value that it does not change; whoever drops it leaves it to the other.
    k("apply", "--server-side", "--field-manager=o", "-f", "-", stdin=deployment())
    mine = deployment()
    del mine["spec"]["replicas"]
    k("apply", "--server-side", "-f", "-", stdin=mine)
    shown = k.json("get", "deployment", "web", "--show-managed-fields")
    owners = {
        e["manager"] for e in shown["metadata"]["managedFields"] if "f:replicas" in e["fieldsV1"].get("f:spec", {})
    }
    assert owners == {"o"}
    k("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=deployment(replicas=1, paused=True))
    assert k.json("get", "deployment", "web")["spec"]["replicas"] == 1
    # An item of a list is its owner's; the item of another stays.
    mine = deployment(replicas=1, paused=True)
    mine["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}]
    k("apply", "--server-side", "-f", "-", stdin=mine)
    spec = k.json("get", "deployment", "web")["spec"]["template"]["spec"]
    assert [e["name"] for e in spec["containers"][0]["env"]] == ["A", "B"]
    scaled = {**deployment(), "metadata": {"name": "nope"}}
    assert "serverside-applied (server dry run)" in k(
        "apply", "--server-side", "--dry-run=server", "-f", "-", stdin=scaled
    )


STRATEGIC: list[tuple[dict[str, Any], Any]] = [
    # (patch of a container's part of the Pod template, what the containers are afterwards)
    ({"containers": [{"name": "c", "image": "x:1"}]}, [("c", "x:1", ["A", "B"])]),
    ({"containers": [{"name": "d", "image": "y"}]}, [("d", "y", []), ("c", "x:1", ["A", "B"])]),
    (
        {"$setElementOrder/containers": [{"name": "c"}, {"name": "d"}], "containers": [{"name": "d", "image": "z"}]},
        [("c", "x:1", ["A", "B"]), ("d", "z", [])],
    ),
    (
        {"containers": [{"name": "c", "env": [{"name": "A", "$patch": "delete"}, {"name": "C", "value": "3"}]}]},
        [("c", "x:1", ["C", "B"]), ("d", "z", [])],
    ),
    ({"containers": [{"name": "d", "$patch": "delete"}]}, [("c", "x:1", ["C", "B"])]),
    ({"containers": [{"$patch": "replace"}, {"name": "e", "image": "e"}]}, [("e", "e", [])]),
]


@verb("patch")
def strategic_merge_with_its_directives(k: Any) -> None:
    k("apply", "-f", "-", stdin=deployment())
    for patch, expected in STRATEGIC:
        k("patch", "deployment", "web", "-p", json.dumps({"spec": {"template": {"spec": patch}}}))
        found = k.json("get", "deployment", "web")["spec"]["template"]["spec"]["containers"]
        assert [(c["name"], c["image"], [e["name"] for e in c.get("env", [])]) for c in found] == expected, patch
    k(
        "patch",
        "deployment",
        "web",
        "-p",
        json.dumps({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
    )
    assert k.json("get", "deployment", "web")["spec"]["strategy"] == {"type": "Recreate"}
    k("patch", "deployment", "web", "-p", '{"metadata":{"finalizers":["a.b/c","a.b/d"]}}')
    k("patch", "deployment", "web", "-p", '{"metadata":{"$deleteFromPrimitiveList/finalizers":["a.b/c"]}}')
    assert k.json("get", "deployment", "web")["metadata"]["finalizers"] == ["a.b/d"]
    k("patch", "deployment", "web", "-p", '{"metadata":{"finalizers":null,"labels":{"$patch":"replace","n":"m"}}}')
    assert k.json("get", "deployment", "web")["metadata"]["labels"] == {"n": "m"}


@verb("patch")
def the_other_patches(k: Any) -> None:
    k("apply", "-f", "-", stdin=deployment())
    k("patch", "deployment", "web", "--type=json", "-p", '[{"op":"test","path":"/spec/replicas","value":0},'
      '{"op":"add","path":"/metadata/labels/a~1b","value":"c"}]')  # fmt: skip
    k("patch", "deployment", "web", "--type=merge", "-p", '{"metadata":{"labels":{"set":null}}}')
    assert k.json("get", "deployment", "web")["metadata"]["labels"] == {"a/b": "c"}
    failed = k.fails("patch", "deployment", "web", "--type=json", "-p", '[{"op":"test","path":"/kind","value":"X"}]')
    assert "The request is invalid" in failed
    k("patch", "deployment", "web", "--subresource=status", "--type=merge", "-p", '{"status":{"collisionCount":3}}')
    assert k.json("get", "deployment", "web")["status"]["collisionCount"] == 3
    assert k("patch", "deployment", "web", "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":1}}')
    assert k.json("get", "deployment", "web")["spec"]["replicas"] == 1


@verb("replace", "edit")
def replace_and_edit(k: Any) -> None:
    k("create", "-f", "-", stdin=deployment())
    assert "replaced" in k("replace", "-f", "-", stdin=deployment(minReadySeconds=3))
    old = k.json("get", "deployment", "web")
    k("annotate", "deployment", "web", "a=b")
    assert "the object has been modified; please apply your changes to the latest" in k.fails(
        "replace", "-f", "-", stdin=old
    )
    uid = k.json("get", "deployment", "web")["metadata"]["uid"]
    out = k("replace", "--force", "-f", "-", stdin=deployment())
    assert "deleted" in out
    assert "replaced" in out
    assert k.json("get", "deployment", "web")["metadata"]["uid"] != uid
    k.env["KUBE_EDITOR"] = "sed -i 's/replicas: 0/replicas: 1/'"
    assert "deployment.apps/web edited" in k("edit", "deployment", "web")
    assert k.json("get", "deployment", "web")["spec"]["replicas"] == 1
    k.env["KUBE_EDITOR"] = "true"
    assert "no changes made" in k.run("edit", "deployment", "web").err
    k.env["KUBE_EDITOR"] = r"sed -i 's/^\( *\)maxSurge: .*/\1maxSurge: x/'"
    k.env["TMPDIR"] = str(k.home)
    refused = k.run("edit", "deployment", "web")
    assert refused.code == 1
    kept = re.search(r'A copy of your changes has been stored to "(.+)"', refused.err)
    assert kept is not None, refused.err
    assert 'spec.strategy.rollingUpdate.maxSurge: Invalid value: "x"' in Path(kept[1]).read_text()


@verb("label", "annotate", "set", "set env", "set image", "set resources", "set selector", "set serviceaccount",
      "set subject", "scale")  # fmt: skip
def small_changes(k: Any) -> None:
    k("apply", "-f", "-", stdin=deployment())
    assert k("label", "deployment", "web", "a=b") == "deployment.apps/web labeled\n"
    assert k("annotate", "deployment", "web", "a=b") == "deployment.apps/web annotated\n"
    assert "a=b" in k("label", "deployment", "web", "--list")
    assert k("set", "env", "deployment/web", "X=y") == "deployment.apps/web env updated\n"
    assert k("set", "image", "deployment/web", "c=q:1") == "deployment.apps/web image updated\n"
    assert "updated" in k("set", "resources", "deployment/web", "--limits=cpu=200m,memory=64Mi")
    assert "updated" in k("set", "serviceaccount", "deployment/web", "default")
    k("create", "service", "clusterip", "s", "--tcp=80")
    assert k("set", "selector", "service/s", "app=web") == "service/s selector updated\n"
    k("create", "rolebinding", "r", "--clusterrole=view", "--user=u")
    assert "updated" in k("set", "subject", "rolebinding/r", "--user=v")
    assert k("scale", "deployment/web", "--replicas=1") == "deployment.apps/web scaled\n"
    assert "Expected replicas to be 9, was 1" in k.fails(
        "scale", "deployment/web", "--current-replicas=9", "--replicas=2"
    ).replace("expected", "Expected")
    spec = k.json("get", "deployment", "web")["spec"]
    assert spec["template"]["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "200m", "memory": "64Mi"}
    assert spec["template"]["spec"]["serviceAccountName"] == "default"


@verb("delete")
def deletion_is_a_protocol(k: Any) -> None:
    k("create", "deployment", "d", f"--image={PAUSE}", "--replicas=1")
    k("rollout", "status", "deployment/d", "--timeout=60s")
    k("delete", "deployment", "d", "--cascade=orphan")
    assert len(k("get", "replicasets", "-o", "name").split()) == 1
    k("delete", "replicaset", "--all", "--cascade=foreground", "--timeout=60s")
    assert k("get", "replicasets,pods", "-o", "name") == ""
    k("create", "configmap", "f")
    k("patch", "configmap", "f", "-p", '{"metadata":{"finalizers":["example.com/hold"]}}')
    k("delete", "configmap", "f", "--wait=false")
    assert k.json("get", "configmap", "f")["metadata"]["deletionTimestamp"]
    refused = k.fails(
        "patch", "configmap", "f", "-p", '{"metadata":{"finalizers":["example.com/more","example.com/hold"]}}'
    )
    assert "no new finalizers can be added if the object is being deleted" in refused
    k("patch", "configmap", "f", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert "NotFound" in k.fails("get", "configmap", "f")
    k("run", "p", f"--image={PAUSE}")
    assert "Immediate deletion" in k.run("delete", "pod", "p", "--force", "--grace-period=0").err
    assert k("delete", "pod", "p", "--ignore-not-found") == ""
    k("create", "configmap", "x")
    k("label", "configmap", "x", "a=b")
    assert "deleted" in k("delete", "configmap", "-l", "a=b")
    assert "deleted" in k("delete", "configmap", "kube-root-ca.crt", "--dry-run=server")
    k("get", "configmap", "kube-root-ca.crt")


@verb("expose", "kustomize")
def expose_and_kustomize(k: Any) -> None:
    k("create", "deployment", "d", f"--image={PAUSE}", "--replicas=0", "--port=80")
    assert k("expose", "deployment", "d", "--type=NodePort", "--port=81") == "service/d exposed\n"
    folder = k.home / f"kustomize-{k.namespace}"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text("namePrefix: pre-\nresources: [c.yaml]\n")
    (folder / "c.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}))
    assert yaml.safe_load(k("kustomize", str(folder)))["metadata"]["name"] == "pre-c"
    assert k("apply", "-k", str(folder)) == "configmap/pre-c created\n"
    assert orjson.loads(k("get", "configmap", "pre-c", "-o", "json"))["metadata"]["name"] == "pre-c"
