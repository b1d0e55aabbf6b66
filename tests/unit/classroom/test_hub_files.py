"""The files for JupyterHub agree with the image, with the class and with Kubernetes, as far as that is seen offline."""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from podwalk.api.quantity import value
from podwalk.apiserver.strategy import default, validate
from podwalk.classroom import hub
from podwalk.classroom.board import Watch
from podwalk.classroom.folder import ClassDir
from podwalk.classroom.roster import ClassError, Learner

ROOT = Path(__file__).parents[3]
FILES = ROOT / "container" / "hub"
needs_hub = pytest.mark.skipif(
    importlib.util.find_spec("jupyterhub") is None,
    reason="JupyterHub is not installed here: pip install 'podwalk[hub]'",
)


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    return dict(yaml.safe_load((FILES / "zero-to-jupyterhub.yaml").read_text()))


@pytest.fixture(scope="module")
def rootless() -> str:
    """What the image for ordinary users adds."""
    return (ROOT / "container" / "Containerfile").read_text().partition(" AS rootless\n")[2]


def test_the_learners_pod_is_one(values: dict[str, Any]) -> None:
    """As the spawner makes it of the values; whether a node runs it only a node can say."""
    single, spawner = values["singleuser"], values["hub"]["config"]["KubeSpawner"]
    kinds = {"guarantee": "requests", "limit": "limits"}
    container = {
        "name": "notebook",
        "image": f"{single['image']['name'].lower()}:{single['image']['tag']}",
        "args": [single["cmd"]],
        "securityContext": spawner["container_security_context"],
        "resources": {
            kinds[kind]: {name: str(single[name][kind]) for name in ("cpu", "memory")}
            for kind in ("guarantee", "limit")
        },
    }
    spec = {"containers": [container], "securityContext": {"fsGroup": single["fsGid"]}, **single["extraPodConfig"]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "jupyter-ada", "namespace": "hub"}, "spec": spec}
    default(pod)
    assert validate(pod, None) == []
    # Kubernetes refuses the second without the first.
    assert (spec["hostUsers"], container["securityContext"]["procMount"]) == (False, "Unmasked")


def test_the_learners_pod_is_the_rootless_images(values: dict[str, Any], rootless: str) -> None:
    single = values["singleuser"]
    (uid,) = re.findall(r"--uid (\d+)", rootless)
    context = values["hub"]["config"]["KubeSpawner"]["container_security_context"]
    assert {single["uid"], single["fsGid"], context["runAsUser"], context["runAsGroup"]} == {int(uid)}
    assert f"PODWALK_COURSE_FOLDER={single['storage']['homeMountPath']} " in rootless
    assert "ARG JUPYTERHUB=" in (ROOT / "container" / "Containerfile").read_text()


def test_the_learners_pod_has_room_for_what_was_measured(values: dict[str, Any]) -> None:
    """A cluster with a lab, with the kernel's share, and JupyterLab beside it."""
    line = next(line for line in (ROOT / "docs" / "benchmarks.md").read_text().splitlines() if line.startswith("| 8 |"))
    cluster, beside = (int(number) for number in re.findall(r"\| (\d+) MB \|.*with (\d+) MB", line)[0])
    memory = values["singleuser"]["memory"]
    assert value(memory["guarantee"]) >= (cluster + beside) * 10**6
    assert value(memory["limit"]) >= 2 * value(memory["guarantee"])


def test_no_password_is_shipped(values: dict[str, Any]) -> None:
    passwords = values["hub"]["config"]["SharedPasswordAuthenticator"]
    assert passwords == {"user_password": None, "admin_password": None}


def test_the_learners_server_is_a_script() -> None:
    script = FILES / "singleuser"
    subprocess.run(["sh", "-n", str(script)], check=True)
    assert script.stat().st_mode & 0o111


@pytest.mark.parametrize("missing", ["JUPYTERHUB_SERVICE_URL", "JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_API_TOKEN"])
def test_without_a_hub_the_board_says_so(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JUPYTERHUB_SERVICE_URL", "JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_API_TOKEN"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv(missing)
    with pytest.raises(ClassError, match=rf"{missing} is not set.*a service that a JupyterHub starts"):
        hub.serve(Watch(list, 1))


def test_without_jupyterhub_the_board_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JUPYTERHUB_SERVICE_URL", "JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_API_TOKEN"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setitem(__import__("sys").modules, "jupyterhub.services.auth", None)
    with pytest.raises(ClassError, match="pip install"):
        hub.serve(Watch(list, 1))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a class that has begun."""
    ClassDir(tmp_path / "class").enrol([Learner("ada"), Learner("grace")])
    monkeypatch.setenv("PODWALK_CLASS", str(tmp_path / "class"))
    monkeypatch.setenv("PODWALK_HUB_ROOT", "yes")
    for name in ("PODWALK_HUB_PASSWORD", "PODWALK_BIN", "PODWALK_ADMIN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "class"


def load(name: str) -> Any:
    from traitlets.config import PyFileConfigLoader

    return PyFileConfigLoader(str(FILES / name)).load_config()


@needs_hub
def test_learners_may_log_in_and_servers_are_in_their_folders(folder: Path) -> None:
    config = load("jupyterhub_config.py")
    assert config.Authenticator.allowed_users.get_value(set()) == {"ada", "grace"}
    assert config.Authenticator.admin_users == {"instructor"}
    spawner = spawner_of(config, "ada")
    assert spawner.cmd == [str(FILES / "singleuser")]
    assert spawner.environment["PODWALK_HOME"] == str(folder / "learners" / "ada")
    assert spawner.environment["KUBECONFIG"].startswith(spawner.environment["PODWALK_HOME"])
    other = spawner_of(config, "instructor")
    assert "PODWALK_HOME" not in other.environment
    assert other.cmd == ["jupyterhub-singleuser"]


@needs_hub
def test_another_config_keeps_its_services(folder: Path, tmp_path: Path) -> None:
    """As The Littlest JupyterHub loads it: after its own, in which there is a service already."""
    outer = tmp_path / "outer.py"
    outer.write_text(
        "c.JupyterHub.services = [{'name': 'cull-idle'}]\nc.Authenticator.allowed_users = {'alan'}\n"
        f"load_subconfig({str(FILES / 'class_config.py')!r})\n"
    )
    config = load(str(outer))
    assert [one["name"] for one in config.JupyterHub.services] == ["cull-idle", "board"]
    assert config.Authenticator.allowed_users == {"ada", "grace", "alan"}
    assert "spawner_class" not in config.JupyterHub
    assert "authenticator_class" not in config.JupyterHub


@needs_hub
def test_a_server_is_its_folders_owners(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root starts servers for others")
    os.chown(folder / "learners" / "ada", pwd.getpwnam("nobody").pw_uid, -1)
    config = load("jupyterhub_config.py")
    ada, grace = (spawner_of(config, name) for name in ("ada", "grace"))
    who = ["id", "-un"]
    told = subprocess.run(who, preexec_fn=ada.make_preexec_fn("ada"), capture_output=True, text=True, check=True)
    assert told.stdout == "nobody\n"
    assert "--allow-root" not in ada.get_args()
    assert ada.user_env({})["USER"] == "nobody"
    assert grace.make_preexec_fn("grace") is None
    assert "--allow-root" in grace.get_args()
    # Also where they share an account, they share no settings.
    assert [one.user_env({})["HOME"] for one in (ada, grace)] == [
        str(folder / "learners" / x) for x in ("ada", "grace")
    ]


@needs_hub
def test_an_admin_without_an_account_gets_no_server_of_roots(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root starts servers for others")
    from tornado.web import HTTPError

    with pytest.raises(HTTPError, match="neither in the class nor an account"):
        spawner_of(load("jupyterhub_config.py"), "instructor").account()


@needs_hub
def test_nobody_becomes_root_unless_root_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root starts servers for others")
    from tornado.web import HTTPError

    monkeypatch.delenv("PODWALK_HUB_ROOT")
    with pytest.raises(HTTPError, match=r"ada would be root here: give the learners accounts"):
        spawner_of(load("jupyterhub_config.py"), "ada").make_preexec_fn("ada")


@needs_hub
def test_a_hub_without_a_class_says_how_to_begin_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PODWALK_CLASS", str(tmp_path))
    config = load("class_config.py")
    assert "no class here; begin one: podwalk class up" in capsys.readouterr().err
    assert "services" not in config.JupyterHub


def spawner_of(config: Any, name: str) -> Any:
    """A spawner of the hub's for somebody, as it is when the hub's hook has seen it."""

    class User:
        """What a spawner asks of a user."""

        def __init__(self) -> None:
            self.name, self.url, self.orm_user = name, f"/user/{name}/", None

    spawner = config.JupyterHub.spawner_class(user=User())
    config.Spawner.pre_spawn_hook(spawner)
    return spawner
