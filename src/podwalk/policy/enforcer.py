"""Writes a node's table: from what is in the kernel to what is wanted, by nft."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from podwalk.policy import ruleset
from podwalk.policy.ruleset import Ruleset


class Completed(Protocol):
    """What running a command gives."""

    @property
    def returncode(self) -> int:
        """The exit status."""

    @property
    def stderr(self) -> bytes:
        """Standard error."""


Runner = Callable[[Sequence[str], bytes | None], Awaitable[Completed]]


class NftError(Exception):
    """nft refused; the message is its own."""


class Enforcer:
    """Writes the table. ``run_command`` runs a program in the node's namespaces."""

    def __init__(self, run_command: Runner) -> None:
        self._run = run_command
        self.applied: Ruleset | None = None

    async def sync(self, wanted: Ruleset) -> int:
        """Bring the kernel's table to this, and return the number of transactions.

        Raises NftError or OSError; the next sync then writes everything anew.
        """
        if self.applied is None and not wanted.chains:
            return 0
        before, self.applied = self.applied, None
        transactions = ruleset.changes(before, wanted)
        for text in transactions:
            done = await self._run(["nft", "-f", "-"], text.encode())
            if done.returncode != 0:
                raise NftError(done.stderr.decode(errors="replace").strip()[:500])
        self.applied = wanted
        return len(transactions)

    async def table_is_there(self) -> bool:
        """Whether the table is still what was written, as far as its two hooks tell."""
        if self.applied is None:
            return True
        argvs = [["nft", "list", "chain", "ip", ruleset.TABLE, chain] for chain in ("egress", "ingress")]
        return all([(await self._run(argv, None)).returncode == 0 for argv in argvs])
