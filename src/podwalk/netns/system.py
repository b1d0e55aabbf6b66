"""What kind of machine this is, as far as it decides whether the embedded cluster can run, and the cures by machine.

Reads files only: what is true of it is found out by trying, in :mod:`podwalk.netns.probe`. ``docs/install.md`` tells
the same at length.
"""

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# mount_setattr(2), by which a container's root becomes read-only.
OLDEST_KERNEL = (5, 12)
_MORE = "see docs/install.md"
_NOT_LINUX = {
    "Darwin": f"run podwalk in a Linux virtual machine: limactl start template://debian-12 ({_MORE}, macOS)",
    "Windows": f"run podwalk in WSL2: wsl --install -d Debian ({_MORE}, Windows)",
}
_WITHOUT_PRIVILEGES = (
    "start the container with --privileged, or with --security-opt seccomp=unconfined, --security-opt"
    f" apparmor=unconfined and an unmasked /proc ({_MORE}, Containers)"
)
# The switch, the value that forbids, and the command that allows; in the order in which one meets them.
_SWITCHES = (
    (
        "kernel.apparmor_restrict_unprivileged_userns",  # Ubuntu since 24.04
        "1",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
        f" ({_MORE}, Ubuntu: how to keep it, and for podwalk alone)",
    ),
    ("kernel.unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),  # Debian's own
    ("user.max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=65536"),  # hardened Red Hat systems
)


@dataclass(frozen=True)
class System:
    """``name`` of the distribution, ``kernel`` release, ``wsl`` 0, 1 or 2, ``container`` kind or empty, our ``uid``.

    ``forbidden``: the cure for the switch that forbids ordinary users namespaces, empty where none does.
    """

    kind: str
    name: str
    kernel: str
    wsl: int
    container: str
    uid: int
    forbidden: str

    @property
    def detail(self) -> str:
        """It in one line."""
        parts = [self.name, f"{self.kind} {self.kernel}"]
        parts += [f"WSL{self.wsl}"] if self.wsl else []
        parts += [f"in a container ({self.container})"] if self.container else []
        return ", ".join([*parts, "root" if self.uid == 0 else "ordinary user"])

    def refusal(self) -> str:
        """The cure where podwalk cannot run here whatever is tried, else an empty text."""
        if self.kind != "Linux":
            return _NOT_LINUX.get(self.kind, f"podwalk needs Linux; {_MORE}")
        if self.wsl == 1:
            return f"WSL1 has no Linux kernel; in Windows: wsl --set-version {self.name.split()[0]} 2"
        if _version(self.kernel) < OLDEST_KERNEL:
            return f"update the kernel: podwalk needs Linux {'.'.join(map(str, OLDEST_KERNEL))} or newer"
        return ""

    def sandbox_cure(self) -> str:
        """The likeliest cure where namespaces were refused."""
        if self.uid != 0 and self.forbidden:
            return self.forbidden
        if self.container:
            return _WITHOUT_PRIVILEGES
        if self.wsl:
            return "wsl --update in Windows, then wsl --shutdown; or run podwalk as root"
        return f"run podwalk as root, or on a kernel that allows unprivileged user namespaces ({_MORE})"


def look(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> System:
    """This machine. ``root`` is where its files are, for tests. Raises nothing."""
    kernel = _read(root / "proc/sys/kernel/osrelease") or platform.release()
    wsl = 0
    if "microsoft" in kernel.lower():
        # WSL1 calls itself 4.4.0-NNNNN-Microsoft, without a Linux behind it.
        wsl = 1 if kernel.startswith("4.4.") else 2
    cures = (cure for name, bad, cure in _SWITCHES if _read(root / "proc/sys" / name.replace(".", "/")) == bad)
    where = _distribution(root), kernel, wsl, _container(root, environ)
    return System(platform.system() or "unknown", *where, os.geteuid(), next(cures, ""))


def _distribution(root: Path) -> str:
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)"?$', _read(root / "etc/os-release"), re.MULTILINE)
    return found[1] if found else platform.platform(terse=True)


def _container(root: Path, environ: Mapping[str, str]) -> str:
    """The marks that the runtimes leave; there is no sure one."""
    if (root / ".dockerenv").exists():
        return "docker"
    if (root / "run/.containerenv").exists():
        return "podman"
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return "kubernetes"
    return _read(root / "run/systemd/container") or environ.get("container", "")


def _version(release: str) -> tuple[int, ...]:
    found = re.match(r"(\d+)\.(\d+)", release)
    return (int(found[1]), int(found[2])) if found else OLDEST_KERNEL


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
