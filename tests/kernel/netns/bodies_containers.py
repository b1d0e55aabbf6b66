"""Bodies about containers and the processes of an agent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from body_tools import (
    a_pod,
    asynchronous,
    finish,
    in_node,
    refusal,
    run,
    run_with_input,
)

from podwalk.netns import command, containers
from podwalk.netns.containers import ContainerSpec, ContainerStartError, Mount
from podwalk.netns.reaper import Reaper


def container_exits() -> Any:
    def body() -> Any:
        with a_pod() as pod:
            return {
                "streams": run(pod, "sh", "-c", "echo out; echo err >&2; exit 3"),
                "signal": run(pod, "sh", "-c", "kill -9 $$", pids="pod")["code"],
                "pid 1": run(pod, "sh", "-c", "kill -9 $$; kill -15 $$; echo $$; ps ax -o pid=,args=; :"),
                "stdin": run_with_input(pod, b"typed", "cat"),
                "no stdin": run(pod, "cat")["code"],
                "environment": run(pod, "sh", "-c", "echo $A $PWD; hostname", env={"A": "b"}, cwd="/var/deep")["out"],
                "tty": run(pod, "sh", "-c", "tty; stty size; exit 4", tty=True),
                "ignored signals": run(pod, "sh", "-c", "grep SigIgn /proc/self/status | cut -f2")["out"].strip(),
                "python": run(pod, sys.executable, "-c", "print(6 * 7)")["out"],
                "minimal": run(pod, "sh", "-c", "ls /usr/lib 2>&1; echo $0", image="minimal")["out"],
            }

    return in_node(body)


def container_refusals() -> Any:
    def body() -> Any:
        with a_pod() as pod:
            files = {"/plain": b"", "/not-a-program": b"\0\0"}
            return [
                refusal(pod, "foo"),
                refusal(pod, "/foo"),
                refusal(pod, "/plain", files=files),
                refusal(pod, "/usr"),
                refusal(pod, "id", mounts=[Mount("/nope", "/x")]),
                refusal(pod, "id", image="other"),
            ]

    return in_node(body)


def container_root() -> Any:
    def body() -> Any:
        volume = Path("/var/lib/kubelet/volume")
        volume.mkdir(parents=True)
        (volume / "token").write_text("secret")
        Path("/run/only-on-the-node").touch()
        mounts = [Mount(str(volume), "/var/run/secrets/here", True), Mount(str(volume), "/data")]
        script = "cat /var/run/secrets/here/token; ls -A / /run /home; cut -d' ' -f2 /proc/mounts; ps ax -o pid,args"
        shared = {"pids": "pod", "mounts": mounts, "files": {"/etc/hosts": b"1.2.3.4 me\n"}}
        with a_pod(sysctls={"net.core.somaxconn": "17"}) as pod:
            shown = run(pod, "sh", "-c", script, **shared)
            return {
                "shown": shown["out"] + shown["err"],
                "hosts": run(pod, "getent", "hosts", "me", files={"/etc/hosts": b"1.2.3.4 me\n"})["out"],
                "write ro": run(pod, "touch", "/var/run/secrets/here/x", mounts=mounts)["code"],
                "write rw": run(pod, "touch", "/data/x", mounts=mounts)["code"],
                "on the node": sorted(path.name for path in volume.iterdir()),
                "sysctl": run(pod, "cat", "/proc/sys/net/core/somaxconn")["out"],
                "sysctl write": run(pod, "sh", "-c", "echo 1 > /proc/sys/net/core/somaxconn")["code"],
                "lo": run(pod, "ping", "-c1", "-W2", "127.0.0.1")["code"],
                "usr": run(pod, "touch", "/usr/x")["code"],
            }

    return in_node(body)


def container_rights() -> Any:
    def body() -> Any:
        show = "grep -h -e CapEff -e CapBnd -e CapInh /proc/self/status | cut -f2"
        with a_pod() as pod:
            return {
                "default": run(pod, "sh", "-c", show)["out"].split(),
                "none": run(pod, "sh", "-c", show, capabilities=())["out"].split(),
                "user": run(pod, "sh", "-c", show, uid=1000, gid=1000)["out"].split()[1],
                "link": run(pod, "ip", "link", "add", "d0", "type", "bridge")["code"],
                "NET_ADMIN": run(pod, "ip", "link", "add", "d1", "type", "bridge", capabilities=["NET_ADMIN"])["code"],
                "mount privileged": run(pod, *["mount", "-t", "tmpfs", "x", "/mnt"], privileged=True)["code"],
                "mount": run(pod, *["mount", "-t", "tmpfs", "x", "/mnt"])["code"],
            }

    return in_node(body)


def exec_in_containers() -> Any:
    def body() -> Any:
        with a_pod() as pod:
            main = containers.start_container(ContainerSpec(pod, "c", ["sleep", "1000"], files={"/marker": b"here"}))
            do = containers.exec_in_container
            found: dict[str, Any] = {
                "plain": finish(do(main, ["cat", "/marker"], {}, tty=False, stdin=False)),
                "tty": finish(do(main, ["sh", "-c", "stty size; exit 7"], {}, tty=True, stdin=True, size=(33, 99))),
            }
            shell = do(
                main,
                ["sh", "-c", "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.01; done"],
                {},
                tty=True,
                stdin=True,
            )
            first = os.read(shell.stdout_fd, 100)
            containers.resize(shell, 12, 34)
            found["resized"] = [first.decode().strip(), finish(shell)["out"].strip()]
            try:
                do(main, ["nope"], {}, tty=True, stdin=False)
            except ContainerStartError as error:
                found["refused"] = str(error)
            found["root"] = Path(containers.root_path(main, "/marker")).read_text()
            containers.signal(main, signal.SIGKILL)
            found["killed"] = finish(main)["code"]
            return found

    return in_node(body)


def descriptors() -> Any:
    """Fifty starts and refusals leave no descriptor and no child behind."""

    def body() -> Any:
        counts = []
        for index in range(52):
            with a_pod() as pod:
                run(pod, "true", stdin=True)
                refusal(pod, "nope", tty=bool(index % 2))
            if index in (1, 51):
                counts.append(len(os.listdir("/proc/self/fd")))
        try:
            os.waitpid(-1, os.WNOHANG)
            children = True
        except ChildProcessError:
            children = False
        return {"counts": counts, "children": children, "netns": os.listdir("/run/netns")}

    return in_node(body)


def reaping() -> Any:
    async def main(reaper: Reaper) -> Any:
        def child(code: int) -> int:
            pid = os.fork()
            if pid == 0:
                os._exit(code)
            return pid

        early = child(5)
        while os.path.exists(f"/proc/{early}"):  # noqa: ASYNC110 until the reaper has collected it, unwatched
            await asyncio.sleep(0.001)
        killed = subprocess.Popen(["sleep", "1000"])  # noqa: ASYNC220
        future = reaper.watch(killed.pid)
        os.kill(killed.pid, signal.SIGTERM)
        try:
            reaper.watch(99999)
            unknown = "watched"
        except ChildProcessError:
            unknown = "refused"
        result = [await reaper.watch(early), await reaper.watch(child(6)), await future, unknown]
        killed.returncode = 0
        orphan = await command.run(reaper, ["sh", "-c", "sleep 0.01 & echo $!"])
        while os.path.exists(f"/proc/{orphan.stdout.decode().strip()}"):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        return result

    return asynchronous(main)


async def _sleeping() -> int:
    """How many `sleep 60` there are, once a killed one is dead: that is a moment after the signal."""
    count = 0
    for _ in range(500):
        count = sum(p.read_bytes() == b"sleep\x0060\0" for p in Path("/proc").glob("[0-9]*/cmdline"))
        if count <= 1:
            break
        await asyncio.sleep(0.01)
    return count


def commands() -> Any:
    async def main(reaper: Reaper) -> Any:
        big = b"x" * 1_000_000
        echoed = await command.run(reaper, ["cat"], stdin=big)
        failed = await command.run(reaper, ["sh", "-c", "echo no >&2; exit 9"], env={"PATH": "/bin"}, cwd="/tmp")
        ignored = await command.run(reaper, ["true"], stdin=big)
        lingering = await command.run(reaper, ["sh", "-c", "sleep 60 & echo done"])
        errors = []
        for argv in (["sleep", "60"], ["no-such-program"]):
            try:
                await command.run(reaper, argv, timeout=0.2)
            except (TimeoutError, FileNotFoundError) as error:
                errors.append(type(error).__name__)
        fds = len(os.listdir("/proc/self/fd"))
        await command.run(reaper, ["true"])
        return {
            "echoed": echoed.stdout == big,
            "failed": [failed.returncode, failed.stderr.decode()],
            "ignored": ignored.returncode,
            "lingering": lingering.stdout.decode(),
            "errors": errors,
            "leak": len(os.listdir("/proc/self/fd")) - fds,
            "sleeping": await _sleeping(),
        }

    return asynchronous(main)
