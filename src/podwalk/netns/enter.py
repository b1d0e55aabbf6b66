"""Run a command inside a running sandbox, or inside one of its nodes, from the host.

Stands in for `docker exec` on a kind node. Joining namespaces needs a process with one thread, and the caller may be a
notebook with many, so a bare interpreter does it: this file, standard library only. It keeps the caller's terminal and
process group: an interactive shell works and Ctrl-C reaches the command.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from podwalk.netns import seccomp
from podwalk.netns import syscalls as sc

_SANDBOX = sc.CLONE_NEWNS | sc.CLONE_NEWNET | sc.CLONE_NEWUTS | sc.CLONE_NEWIPC | sc.CLONE_NEWPID | sc.CLONE_NEWCGROUP
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_KEPT = ("TERM", "LANG", "LC_ALL", "LC_CTYPE", "COLORTERM", "TZ")


@dataclass(frozen=True)
class Completed:
    """How a command ended: `returncode` as a shell says it (127 not found, 126 not executable, 128+n by signal n)."""

    returncode: int
    stdout: bytes
    stderr: bytes


def run_in_sandbox(
    init_pid: int,
    argv: Sequence[str],
    *,
    node_pid: int | None = None,
    env: Mapping[str, str] | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    input: bytes | None = None,
    capture: bool = False,
    timeout: float | None = None,
) -> Completed:
    """Run `argv` in the sandbox whose init is `init_pid`, or in the node with `node_pid` as the sandbox numbers it.

    `stdin`, `stdout` and `stderr` are descriptors, by default the caller's own; `capture` collects the output instead
    (and without `input` gives no stdin). `env` is added to a plain environment. Raises TimeoutError after killing the
    command, ProcessLookupError when there is no such sandbox.
    """
    helper = _helper(
        init_pid,
        argv,
        node_pid,
        env,
        subprocess.PIPE if input is not None else subprocess.DEVNULL if capture and stdin is None else stdin,
        subprocess.PIPE if capture else stdout,
        subprocess.PIPE if capture else stderr,
        new_session=capture,
    )
    try:
        if not capture and input is None:
            return Completed(_wait(helper, timeout), b"", b"")
        out, err = helper.communicate(input, timeout)
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{argv[0]}: no end after {timeout:g} s") from None
    finally:
        _end(helper, group=capture)
    return Completed(_shell_code(helper.returncode), out or b"", err or b"")


def start_in_sandbox(init_pid: int, argv: Sequence[str], *, node_pid: int | None = None) -> subprocess.Popen[bytes]:
    """Start `argv` as `run_in_sandbox` does, with pipes for stdin, stdout and stderr, and let it run beside us.

    It ends with the thread that started it. Raises ProcessLookupError when there is no such sandbox.
    """
    pipe = subprocess.PIPE
    return _helper(init_pid, argv, node_pid, None, pipe, pipe, pipe, new_session=True)


def _helper(
    init_pid: int,
    argv: Sequence[str],
    node_pid: int | None,
    env: Mapping[str, str] | None,
    stdin: int | None,
    stdout: int | None,
    stderr: int | None,
    *,
    new_session: bool,
) -> subprocess.Popen[bytes]:
    _require_process(init_pid)
    order = {"init": init_pid, "node": node_pid, "argv": list(argv), "env": _environment(env)}
    source = str(Path(__file__).resolve().parents[2])
    # -I and -S: neither the learner's directory nor site-packages can change what is imported, and it starts fast.
    code = f"import sys; sys.path.insert(0, {source!r}); from podwalk.netns.enter import main; main(sys.argv[1])"
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code, json.dumps(order)],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=new_session,
    )


def _require_process(pid: int) -> None:
    os.kill(pid, 0)


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {"PATH": _DEFAULT_PATH, "HOME": "/root", **kept, **(extra or {})}


def _wait(helper: subprocess.Popen[bytes], timeout: float | None) -> int:
    """Wait for the helper; Ctrl-C is the command's business as long as that runs."""
    while True:
        try:
            return _shell_code(helper.wait(timeout))
        except KeyboardInterrupt:
            continue


def _end(helper: subprocess.Popen[bytes], *, group: bool) -> None:
    """Make sure that nothing of the helper stays: its death takes the command along."""
    if helper.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(helper.pid, signal.SIGKILL) if group else helper.kill()
        helper.wait()
    for stream in (helper.stdin, helper.stdout, helper.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _shell_code(code: int) -> int:
    return 128 - code if code < 0 else code


# --- inside the helper


def main(order: str) -> NoReturn:
    """Join, run, exit with the command's status; `order` is the JSON that run_in_sandbox writes."""
    wanted = json.loads(order)
    for number in (signal.SIGINT, signal.SIGQUIT):  # keys on the terminal are for the command, which resets them
        signal.signal(number, signal.SIG_IGN)
    sc.die_with_parent()
    foreground = _foreground_group()
    try:
        _join_sandbox(wanted["init"])
    except OSError as error:
        _fail(f"podwalk: cannot enter the cluster: {error}", 125)

    def in_sandbox() -> NoReturn:
        if wanted["node"] is None:
            _execute(wanted["argv"], wanted["env"])
        try:
            _join(wanted["node"], _SANDBOX)
        except OSError as error:
            _fail(f"podwalk: cannot enter the node: {error}", 125)
        _pass_on(lambda: _execute(wanted["argv"], wanted["env"]))

    _pass_on(in_sandbox, foreground)


def _join_sandbox(init_pid: int) -> None:
    own_user = os.stat("/proc/self/ns/user").st_ino == os.stat(f"/proc/{init_pid}/ns/user").st_ino
    single = seccomp.single_uid(init_pid)  # afterwards /proc is the sandbox's, where this process has no number
    _join(init_pid, _SANDBOX if own_user else _SANDBOX | sc.CLONE_NEWUSER)
    sc.die_with_parent()
    if not own_user and single:
        seccomp.fake_credential_calls()


def _join(pid: int, namespaces: int) -> None:
    pidfd = os.pidfd_open(pid)
    try:
        sc.setns(pidfd, namespaces)
    finally:
        os.close(pidfd)
    os.chdir("/")


def _pass_on(child: Callable[[], NoReturn], foreground: int | None = None) -> NoReturn:
    """Fork (a joined pid namespace holds from then on), run `child` there, and end as it ends."""
    pid = os.fork()
    if pid == 0:
        sc.die_with_parent()
        child()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: os.kill(pid, number))
    _, status = os.waitpid(pid, 0)
    _restore_foreground(foreground)
    os._exit(_shell_code(os.waitstatus_to_exitcode(status)))


def _foreground_group() -> int | None:
    """Return this process group if it has the terminal: a shell with job control will take it."""
    try:
        group = os.tcgetpgrp(0)
    except OSError:
        return None
    return group if group == os.getpgrp() else None


def _restore_foreground(group: int | None) -> None:
    if group is not None:
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        with contextlib.suppress(OSError):
            os.tcsetpgrp(0, group)


def _execute(argv: list[str], env: dict[str, str]) -> NoReturn:
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    with contextlib.suppress(OSError):
        os.chdir(env.get("HOME", "/"))
    try:
        os.execvpe(argv[0], argv, env)
    except FileNotFoundError:
        _fail(f"{argv[0]}: command not found", 127)
    except OSError as error:
        _fail(f"{argv[0]}: {os.strerror(error.errno or 0)}", 126)


def _fail(text: str, code: int) -> NoReturn:
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode())
    os._exit(code)
