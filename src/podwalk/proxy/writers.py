"""Rules into the kernel, in either mode: what is applied is remembered, so that a sync writes differences only."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from podwalk.proxy import model, names, nftrender, nftscript, render, restore

log = logging.getLogger(__name__)

_XTABLES_LOCK_SECONDS = "5"
# How long kube-proxy lets an emptied nftables chain stand before a later sync removes it.
_STALE_SECONDS = 1.0


class Completed(Protocol):
    """What running a command gives."""

    @property
    def returncode(self) -> int:
        """The exit status."""

    @property
    def stdout(self) -> bytes:
        """Standard output."""

    @property
    def stderr(self) -> bytes:
        """Standard error."""


Runner = Callable[[Sequence[str], bytes | None], Awaitable[Completed]]
# Runs nft commands as one transaction and gives their output. Raises RestoreError.
Nft = Callable[[str], Awaitable[str]]


class RestoreError(Exception):
    """The kernel's tools refused; the message names the line that they refused."""


class RuleWriter(Protocol):
    """One mode's way to write Service ports as rules."""

    async def write(self, ports: list[model.ServicePort], node: model.Node) -> None:
        """Bring the rules to these Service ports. Raises RestoreError or OSError; the next call writes everything."""

    async def intact(self) -> bool:
        """Whether nobody deleted the rules' base."""

    def forget(self) -> None:
        """Make the next write start from what the kernel holds."""


class IptablesWriter:
    """Writes by ``iptables-restore --noflush`` (upstream: pkg/proxy/iptables/proxier.go)."""

    def __init__(self, run_command: Runner, cluster_cidr: str) -> None:
        self._run = run_command
        self._cluster_cidr = cluster_cidr
        self._applied: render.Ruleset | None = None

    async def write(self, ports: list[model.ServicePort], node: model.Node) -> None:
        """See RuleWriter."""
        wanted = render.render(ports, node, self._cluster_cidr)
        applied, existing = self._applied, None
        self._applied = None
        if applied is None:
            existing = restore.parse_save((await self._checked(["iptables-save"], None)).decode())
            await self._restore(restore.base(existing))
        await self._restore(restore.changes(applied, wanted, existing))
        self._applied = wanted

    async def intact(self) -> bool:
        """Whether the tables still hold the empty chain that tells that nobody deleted kube-proxy's chains."""
        for table in ("mangle", "filter", "nat"):
            argv = ["iptables", "-w", _XTABLES_LOCK_SECONDS, "-t", table, "-S", names.CANARY]
            if (await self._run(argv, None)).returncode != 0:
                return False
        return True

    def forget(self) -> None:
        """See RuleWriter."""
        self._applied = None

    async def _restore(self, text: str) -> None:
        if text:
            argv = ["iptables-restore", "-w", _XTABLES_LOCK_SECONDS, "--noflush"]
            await self._checked(argv, text.encode())

    async def _checked(self, argv: Sequence[str], stdin: bytes | None) -> bytes:
        done = await self._run(argv, stdin)
        if done.returncode != 0:
            message = done.stderr.decode(errors="replace").strip()
            line = restore.failing_line(message, (stdin or b"").decode())
            raise RestoreError(f"{argv[0]}: {message}" + (f": {line!r}" if line else ""))
        return done.stdout


class NftablesWriter:
    """Writes kube-proxy's own table (upstream: pkg/proxy/nftables/proxier.go)."""

    def __init__(
        self,
        nft: Nft,
        cluster_cidr: str,
        service_cidr: str,
        *,
        budget: int = nftscript.BUDGET,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._nft = nft
        self._cluster_cidr, self._service_cidr = cluster_cidr, service_cidr
        self._budget, self._clock = budget, clock
        self._applied: nftrender.Table | None = None
        self._stale: dict[str, float] = {}

    async def write(self, ports: list[model.ServicePort], node: model.Node) -> None:
        """See RuleWriter."""
        wanted = nftrender.render(ports, node, self._cluster_cidr)
        applied = self._applied
        self._applied = None
        if applied is None:
            applied = nftrender.Table()
            self._stale = {}
            await self._nft(nftscript.base(node.ip, self._cluster_cidr, self._service_cidr))
            await self._other_family()
        else:
            await self._remove_stale()
        for script in nftscript.changes(applied, wanted, self._budget):
            await self._nft(script)
        self._stale = {c: t for c, t in self._stale.items() if c not in wanted.chains}
        self._stale |= dict.fromkeys(nftscript.stale(applied, wanted), self._clock())
        self._applied = wanted

    async def intact(self) -> bool:
        """Whether the table is there."""
        try:
            await self._nft(f"list chain ip {names.NFT_TABLE} services")
        except RestoreError:
            return False
        return True

    def forget(self) -> None:
        """See RuleWriter."""
        self._applied = None

    async def _other_family(self) -> None:
        try:
            await self._nft(nftscript.base6())
        except RestoreError as error:
            log.info("this kernel takes no ip6 table, kube-proxy works on without: %s", error)

    async def _remove_stale(self) -> None:
        old = [chain for chain, since in self._stale.items() if self._clock() - since > _STALE_SECONDS]
        if not old:
            return
        for chain in old:
            del self._stale[chain]
        await self._nft(nftscript.removal(old))


def nft_by_command(run_command: Runner) -> Nft:
    """Run nft as a program."""

    async def nft(text: str) -> str:
        done = await run_command(["nft", "-f", "-"], text.encode())
        if done.returncode != 0:
            raise RestoreError(f"nft: {_first_error(done.stderr.decode(errors='replace'))}")
        return done.stdout.decode(errors="replace")

    return nft


def nft_by_library(run: Callable[[str], tuple[int, str, str]]) -> Nft:
    """Run nft in this process: see ``libnftables``."""

    async def nft(text: str) -> str:
        code, output, error = run(text)
        if code != 0:
            raise RestoreError(f"nft: {_first_error(error)}")
        return output

    return nft


def _first_error(text: str) -> str:
    """nft's first complaint with the line that it is about; the caret line below is left out."""
    lines = text.strip().splitlines()
    return " ".join(line.strip() for line in lines[:2]) or "refused without a reason"
