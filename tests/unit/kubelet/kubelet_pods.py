"""Pods that the tests of this folder start, and what their statuses say."""

AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.53"


def container(name="a", **more):
    return {"name": name, "image": AGNHOST, "imagePullPolicy": "IfNotPresent", **more}


def pod(*containers_, inits=(), **spec):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop", "uid": "uid-1", "generation": 1},
        "spec": {
            "nodeName": "worker",
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "automountServiceAccountToken": False,
            "containers": list(containers_) or [container()],
            "initContainers": list(inits),
            **spec,
        },
    }


def ready(status):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status["conditions"])


def state(status, index=0):
    return status["containerStatuses"][index]["state"]
