"""Real kubectl against an API server in this process: no nodes, no controllers, no kubelet.

``PODWALK_KUBECTLS`` names the kubectl binaries to test with, separated by colons; the default is the one on PATH.
"""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from podwalk.apiserver import server
from podwalk.apiserver.server import ApiServerConfig, UserInfo
from podwalk.cluster import pki

TOKEN = "kubectl-token"


def kubectls() -> list[str]:
    named = [path for path in os.environ.get("PODWALK_KUBECTLS", "").split(":") if path]
    found = shutil.which("kubectl")
    return named or ([found] if found else [])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "binary" in metafunc.fixturenames:
        paths = kubectls()
        metafunc.parametrize("binary", paths, ids=[Path(p).name for p in paths], scope="session")


class RunningServer:
    """The API server on its own event loop in a thread."""

    def __init__(self, folder: Path) -> None:
        made = pki.make(["localhost"], ["127.0.0.1"])
        listening = socket.create_server(("127.0.0.1", 0))
        self.config = ApiServerConfig(
            tls_cert=made.server_cert,
            tls_key=made.server_key,
            ca_cert=made.ca_cert,
            service_account_key=made.service_account_key,
            tokens={TOKEN: UserInfo("kubernetes-admin", ("system:masters", "system:authenticated"))},
            kubelet_token="kubelet",
            sockets=[listening],
        )
        self.kubeconfig = folder / "kubeconfig"
        self._write_kubeconfig(listening.getsockname()[1], made.ca_cert)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="API server")

    def _write_kubeconfig(self, port: int, ca: bytes) -> None:
        cluster = {
            "server": f"https://127.0.0.1:{port}",
            "certificate-authority-data": base64.b64encode(ca).decode(),
        }
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "current-context": "test",
        }
        self.kubeconfig.write_text(yaml.safe_dump(document))

    def _run(self) -> None:
        self._task = self._loop.create_task(server.serve(self.config, on_ready=self._ready.set))
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        finally:
            self._loop.close()

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(20)

    def stop(self) -> None:
        assert self._task is not None
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(20)


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("kubectl"))
    running.start()
    yield running
    running.stop()


@dataclass
class Done:
    code: int
    out: str
    err: str


@dataclass
class Kubectl:
    """Runs one kubectl in one namespace."""

    binary: str
    kubeconfig: Path
    home: Path
    namespace: str
    env: dict[str, str] = field(default_factory=dict)

    def command(self, *args: str) -> list[str]:
        return [self.binary, "--kubeconfig", str(self.kubeconfig), "-n", self.namespace, *args]

    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": os.environ["PATH"], "KUBECTL_COMMAND_HEADERS": "false", **self.env}

    def run(self, *args: str, stdin: Any = None) -> Done:
        text = stdin if isinstance(stdin, str | type(None)) else orjson.dumps(stdin).decode()
        done = subprocess.run(
            self.command(*args), input=text or "", env=self.environment(), capture_output=True, text=True, timeout=60
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def __call__(self, *args: str, stdin: Any = None) -> str:
        done = self.run(*args, stdin=stdin)
        assert done.code == 0, f"kubectl {' '.join(args)}: {done.err}{done.out}"
        return done.out

    def fails(self, *args: str, stdin: Any = None) -> str:
        done = self.run(*args, stdin=stdin)
        assert done.code != 0, done.out
        return done.err

    def json(self, *args: str) -> Any:
        return orjson.loads(self(*args, "-o", "json"))

    def status(self, target: str, status: Any) -> None:
        """Play the part of a controller or a kubelet: write a status."""
        self("patch", target, "--subresource=status", "--type=merge", "-p", orjson.dumps({"status": status}).decode())


@pytest.fixture(scope="session")
def make_kubectl(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path, str], Kubectl]:
    """(binary, kubeconfig, name of the test) -> a Kubectl in a new namespace."""

    def make(binary: str, kubeconfig: Path, test: str) -> Kubectl:
        # The discovery cache is kept per HOME: sharing it saves each test three requests.
        home = tmp_path_factory.getbasetemp() / f"home-{Path(binary).name}"
        home.mkdir(exist_ok=True)
        plain = "".join(c if c.isalnum() else "-" for c in test.lower())
        name = f"t-{plain}"[:50].strip("-") + f"-{abs(hash(binary)) % 1000}"
        made = Kubectl(binary, kubeconfig, home, name)
        made("create", "namespace", name)
        return made

    return make


@pytest.fixture
def kubectl(
    binary: str,
    api_server: RunningServer,
    make_kubectl: Callable[[str, Path, str], Kubectl],
    request: pytest.FixtureRequest,
) -> Kubectl:
    return make_kubectl(binary, api_server.kubeconfig, request.node.name)
