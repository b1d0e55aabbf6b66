"""The image catalogue: which program an image's name stands for.

Stands in for the image manager (pkg/kubelet/images) and a registry. It differs in that nothing is pulled: an image is a
name that maps to a program of this machine, with an image's entrypoint, default arguments, environment and files.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from podwalk.kubelet.builtin_images import PATH_ENV, Entry, builtin

# github.com/distribution/reference: a registry may have capitals and a port, the path may not.
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"^(?P<repository>(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?/)?{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>[a-z0-9]+:[0-9a-f]+))?$",
    re.ASCII,
)


class ImageError(Exception):
    """An image that cannot be used; ``reason`` is the container's waiting reason."""

    reason = "ErrImagePull"


class ImageNotFound(ImageError):
    """The catalogue has no program for this image."""

    def __init__(self, image: str) -> None:
        super().__init__(
            f'failed to pull and unpack image "{normalize(image)}": the embedded cluster pulls nothing, it has a '
            f"catalogue of programs, and this image is not in it: list it with `podwalk image list`, add to it with "
            f"`podwalk image add {image} --program PATH`"
        )


class InvalidImageName(ImageError):
    """The name is not one that an image can have."""

    reason = "InvalidImageName"

    def __init__(self, image: str) -> None:
        super().__init__(
            f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": '
            "invalid reference format"
        )


@dataclass(frozen=True, slots=True)
class HostProgram:
    """A program of the machine, which a node does not see; ``stamp`` changes when the file does."""

    path: str
    root_fd: int | None
    stamp: str

    def place(self, directory: Path) -> Path:
        """An executable copy in a directory of the node, made once; copies of older states go. Raises OSError."""
        prefix = hashlib.sha256(self.path.encode()).hexdigest()[:16]
        target = directory / f"{prefix}-{self.stamp}"
        if target.exists():
            return target
        directory.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".new")
        with open(_open(self.path, self.root_fd), "rb") as source, open(fresh, "wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
        fresh.chmod(0o755)
        for old in directory.glob(f"{prefix}-*"):
            if old != fresh:
                old.unlink()
        return fresh.rename(target)


def _open(path: str, root_fd: int | None) -> int:
    return os.open(path.lstrip("/") if root_fd is not None else path, os.O_RDONLY, dir_fd=root_fd)


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """What to run for an image with a container's command and arguments.

    ``files`` are placed in the container's root; ``programs`` are files there that can be executed.
    """

    image: str
    image_id: str
    argv: list[str]
    env: dict[str, str]
    workdir: str
    files: dict[str, bytes]
    uid: int | None
    root: str
    programs: dict[str, bytes | HostProgram] = field(default_factory=dict)


def split(image: str) -> tuple[str, str, str]:
    """(repository with its registry, tag, digest) by the default registry's rules. Raises InvalidImageName."""
    found = _REFERENCE.match(image)
    if found is None:
        raise InvalidImageName(image)
    repository, tag, digest = found["repository"], found["tag"] or "", found["digest"] or ""
    first = repository.split("/", 1)[0]
    if "/" not in repository:
        repository = f"docker.io/library/{repository}"
    elif "." not in first and ":" not in first and first != "localhost":
        repository = f"docker.io/{repository}"
    if repository.startswith("index.docker.io/"):
        repository = "docker.io/" + repository.removeprefix("index.docker.io/")
    return repository, tag, digest


def normalize(image: str) -> str:
    """The full reference: ``nginx`` is ``docker.io/library/nginx:latest``. Raises InvalidImageName."""
    repository, tag, digest = split(image)
    if digest:
        return f"{repository}@{digest}"
    return f"{repository}:{tag or 'latest'}"


def default_pull_policy(image: str) -> str:
    """Always for ``:latest`` and for no tag, else IfNotPresent."""
    _, tag, digest = split(image)
    return "Always" if not digest and tag in ("", "latest") else "IfNotPresent"


class HostFiles:
    """Reads the machine's files, which a node does not see: through a descriptor of its root from before."""

    def __init__(self, root_fd: int | None = None) -> None:
        self._root_fd = root_fd
        self._known: dict[str, tuple[tuple[int, int], bytes]] = {}

    def program(self, path: str) -> HostProgram:
        """A program, as it is now. Raises OSError."""
        fd = _open(path, self._root_fd)
        try:
            found = os.fstat(fd)
        finally:
            os.close(fd)
        return HostProgram(path, self._root_fd, f"{found.st_mtime_ns:x}-{found.st_size:x}")

    def read(self, path: str) -> bytes:
        """A file's content, read again only when it has changed. Raises OSError."""
        with open(_open(path, self._root_fd), "rb") as file:
            found = os.fstat(file.fileno())
            stamp = (found.st_mtime_ns, found.st_size)
            known = self._known.get(path)
            if known is None or known[0] != stamp:
                known = self._known[path] = (stamp, file.read())
            return known[1]


class Catalogue:
    """The images of this cluster: the built-in ones and the user's own file, read again when it changes.

    ``path`` is absolute; ``root_fd`` is the root directory of the machine, where this process has another one.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, root_fd: int | None = None) -> None:
        self._path = os.path.abspath(path) if path else None
        self._files = HostFiles(root_fd)
        self._text: bytes | None = None
        self._builtin = {entry.ref: entry for entry in builtin()}
        self._own: dict[str, Entry] = {}

    def entries(self) -> list[Entry]:
        """Every entry, the user's first."""
        self._refresh()
        return [*self._own.values(), *(e for ref, e in self._builtin.items() if ref not in self._own)]

    def resolve(
        self, image: str, command: Sequence[str] | None = None, args: Sequence[str] | None = None
    ) -> ResolvedImage:
        """What to run. Raises InvalidImageName, ImageNotFound.

        A command replaces the entrypoint and the default arguments, arguments replace the default ones, as in an image.
        """
        repository, _, _ = split(image)
        self._refresh()
        full = normalize(image)
        entry = self._own.get(full) or self._own.get(repository) or self._builtin.get(repository)
        if entry is None:
            raise ImageNotFound(image)
        argv = list(command) if command else list(entry.entrypoint)
        argv += list(args) if args else ([] if command else list(entry.cmd))
        if not argv:
            raise ImageError(f'image "{image}" has no command')
        digest = hashlib.sha256(f"{repository}\0{entry.summary}".encode()).hexdigest()
        return ResolvedImage(
            image=full,
            image_id=f"{repository}@sha256:{digest}",
            argv=argv,
            env={"PATH": PATH_ENV, **entry.env},
            workdir=entry.workdir,
            files={**entry.files, **entry.make_files()},
            uid=entry.uid,
            root=entry.root,
            programs=self._programs(image, entry),
        )

    def _programs(self, image: str, entry: Entry) -> dict[str, bytes | HostProgram]:
        if not entry.host_program:
            return dict(entry.programs)
        try:
            program = self._files.program(entry.host_program)
            if not entry.programs:
                return dict.fromkeys(entry.entrypoint[:1], program)
            # Other names of the program that is replaced are the new one as well; the image's other programs stay.
            replaced = entry.programs.get(entry.entrypoint[0])
            return {path: program if content == replaced else content for path, content in entry.programs.items()}
        except OSError as error:
            raise ImageError(
                f'failed to pull and unpack image "{normalize(image)}": the catalogue says that it runs '
                f"{entry.host_program}: {(error.strerror or str(error)).lower()}"
            ) from None

    def _refresh(self) -> None:
        if self._path is None:
            return
        try:
            text = self._files.read(self._path)
        except OSError:
            text = b""
        if text != self._text:
            self._own, self._text = {key: self._in_place(e) for key, e in _own_entries(text).items()}, text

    def _in_place(self, entry: Entry) -> Entry:
        """The user's program for a built-in image lies where that image has its own, with the image's arguments.

        So `podwalk image add registry.k8s.io/e2e-test-images/agnhost --program ./agnhost` gives the real /agnhost.
        """
        replaced = self._builtin.get(split(entry.ref)[0])
        if replaced is None or not entry.host_program or not set(replaced.entrypoint[:1]) & replaced.programs.keys():
            return entry
        entrypoint = (replaced.entrypoint[0], *entry.entrypoint[1:])
        return replace(
            entry,
            entrypoint=entrypoint,
            cmd=entry.cmd or replaced.cmd,
            programs=replaced.programs,
            make_files=replaced.make_files,
        )


def catalogue(path: str | os.PathLike[str] | None = None) -> list[tuple[str, str]]:
    """(image, what it runs) of every entry, for ``podwalk image list``."""
    return [(entry.ref, entry.summary) for entry in Catalogue(path).entries()]


def _own_entries(text: bytes) -> dict[str, Entry]:
    """The user's entries by full reference (with a tag) or repository (without); lines that are wrong are skipped."""
    try:
        listed = yaml.safe_load(text) or []
    except yaml.YAMLError:
        return {}
    out: dict[str, Entry] = {}
    for item in listed if isinstance(listed, list) else []:
        if not isinstance(item, dict) or not item.get("ref") or not item.get("program"):
            continue
        try:
            repository, tag, _ = split(str(item["ref"]))
        except InvalidImageName:
            continue
        program = item["program"]
        words = tuple(str(w) for w in program) if isinstance(program, list) else (str(program),)
        args = tuple(str(w) for w in item.get("args") or ())
        environment = {str(k): str(v) for k, v in (item.get("env") or {}).items()}
        # What lies below /usr is in every container already.
        own = words[0] if words[0].startswith("/") and not words[0].startswith(("/usr/", "/bin/", "/sbin/")) else ""
        entry = Entry(repository, f"yours: {' '.join(words)}", words, args, environment, host_program=own)
        key = f"{repository}:{tag}" if tag else repository
        out[key] = replace(entry, ref=key)
    return out
