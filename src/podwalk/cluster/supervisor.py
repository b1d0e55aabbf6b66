"""The one process of a cluster that stays in the host's namespaces (kind's role: it starts and ends the nodes).

It owns the lock, the state directory and the listening socket of the API server, which it binds before anything
unshares; everything else lives in the sandbox below it and dies with it. It configures no network.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
import zlib
from typing import Any

from podwalk.cluster import kubeconfig
from podwalk.cluster.messages import DETACH, Channel, Reader
from podwalk.cluster.sandbox import SandboxMain
from podwalk.cluster.spec import ClusterSpec, make_spec
from podwalk.cluster.state import ClusterDir, State
from podwalk.netns import guard, sandbox
from podwalk.network import profiles as network_profiles

_FIRST_PORT = 36443
_PORTS = 1024


class BootError(Exception):
    """The cluster cannot start; the message is one line with a cure."""


def bind_api_socket(name: str, wanted: int) -> socket.socket:
    """A listening socket on 127.0.0.1: the wanted port, or one that stays the same for this cluster's name.

    kubectl caches discovery by host and port, so a stable port keeps `kubectl` fast after a reboot of the cluster.
    Raises BootError where a wanted port is taken.
    """
    usual = _FIRST_PORT + zlib.crc32(name.encode()) % _PORTS
    for port in (wanted,) if wanted else (usual, 0):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
            sock.listen(256)
            return sock
        except OSError as error:
            sock.close()
            if wanted:
                raise BootError(f"port {port} on 127.0.0.1: {error.strerror}; choose another apiServerPort") from None
    raise BootError("no free port on 127.0.0.1 for the API server; is the machine out of ports?")


class Supervisor:
    """Boots one cluster, then waits for its end."""

    def __init__(self, directory: ClusterDir, spec: ClusterSpec, *, report_fd: int, lifeline_fd: int) -> None:
        self._dir = directory
        self._spec = spec
        self._report = Channel(report_fd)
        self._lifeline_fd = lifeline_fd
        self._state = State(
            name=spec.config.name,
            supervisor_pid=os.getpid(),
            started=time.time(),
            node_addresses={n.name: spec.node_address(n) for n in spec.config.nodes},
            node_roles={n.name: n.role for n in spec.config.nodes},
            options=spec.config.options(),
        )
        self._stopping = False

    def run(self) -> int:
        """Boot, wait, clean up; the exit code."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        api = bind_api_socket(self._spec.config.name, self._spec.config.api_port)
        self._state.api_port = api.getsockname()[1]
        self._dir.write(self._state)
        read_fd, write_fd = os.pipe()
        guard.remember_host()
        # Children share the memory of the modules loaded so far; a frozen heap keeps the collector from touching it.
        gc.collect()
        gc.freeze()
        closes = (read_fd, self._report.fd, self._lifeline_fd)
        main = SandboxMain(self._spec, api, Channel(write_fd), closes)
        self._state.init_pid = sandbox.spawn_sandbox(main)
        os.close(write_fd)
        api.close()
        try:
            if self._stopping:
                # The signal came while there was no sandbox to kill yet.
                return 0
            self._dir.write(self._state)
            return self._watch(read_fd)
        finally:
            self._kill_sandbox()
            self._dir.clear()

    def _on_signal(self, *_: Any) -> None:
        self._stopping = True
        self._kill_sandbox()

    def _kill_sandbox(self) -> None:
        pid, self._state.init_pid = self._state.init_pid, 0
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _watch(self, read_fd: int) -> int:
        """Read messages until the sandbox closes the pipe, which is when its last process ends."""
        reader = Reader()
        with selectors.DefaultSelector() as selector:
            selector.register(read_fd, selectors.EVENT_READ)
            selector.register(self._lifeline_fd, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    data = os.read(key.fd, 65536)
                    if key.fd == self._lifeline_fd:
                        selector.unregister(self._lifeline_fd)
                        if DETACH not in data:
                            # Whoever started us is gone before the cluster was ready: nobody wants it.
                            return 1
                    elif not data:
                        return 0 if self._stopping else 1
                    else:
                        for message in reader.feed(data):
                            self._handle(message)

    def _handle(self, message: dict[str, Any]) -> None:
        match message["kind"]:
            case "node":
                self._state.node_pids[message["name"]] = message["pid"]
                self._dir.write(self._state)
            case "beside":
                self._state.beside_pids[message["name"]] = message["pid"]
                self._dir.write(self._state)
            case "node-died":
                self._state.node_pids.pop(message["name"], None)
                self._dir.write(self._state)
            case "api-ready":
                text = kubeconfig.render(
                    self._spec.config.name, self._state.api_port, self._spec.pki.ca_cert, self._spec.tokens.admin
                )
                self._dir.write_kubeconfig(text)
        self._report.send(**message)


def main(directory: ClusterDir, config_text: str, images_file: str, report_fd: int, lifeline_fd: int) -> int:
    """Run a supervisor. ``config_text`` is JSON: kind's configuration (``kind``) and podwalk's ``options``."""
    from podwalk.api import clusterconfig

    report = Channel(report_fd)
    lock = directory.await_lock()
    if lock is None:
        cure = f"podwalk status shows it, podwalk down --name {directory.name} ends it"
        report.send("already-running", message=f"cluster {directory.name} is already running or starting; {cure}")
        return 1
    try:
        directory.clear()
        told = json.loads(config_text)
        config = clusterconfig.parse(told["kind"], name=directory.name).with_options(told["options"])
        if (lack := network_profiles.missing(config.options()["cni"])) is not None:
            raise BootError(lack)
        spec = make_spec(config, images_file)
        return Supervisor(directory, spec, report_fd=report_fd, lifeline_fd=lifeline_fd).run()
    except (BootError, clusterconfig.ConfigError) as error:
        report.fail(str(error))
    except OSError as error:
        report.fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}; see podwalk doctor")
        print(f"supervisor: {error!r}", file=sys.stderr)
    return 1
