"""Runs rule scripts in networks of their own and prints what the kernel lists after each, as JSON.

Run as a program, with a JSON list of {"mode", "scripts"} on standard input.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from podwalk.netns import guard, sandbox, syscalls


def listing(mode: str, scripts: list[str]) -> str:
    """What a fresh network's rules are after the scripts."""
    syscalls.unshare(syscalls.CLONE_NEWNET)
    guard.refuse_host()
    write = ["nft", "-f", "-"] if mode == "nftables" else ["iptables-restore", "--noflush"]
    for script in scripts:
        subprocess.run(write, input=script, text=True, check=True, capture_output=True)
    save = ["nft", "-n", "list", "ruleset"] if mode == "nftables" else ["iptables-save"]
    return subprocess.run(save, check=True, capture_output=True, text=True).stdout


def main() -> int:
    """Do every job."""
    jobs = json.load(sys.stdin)
    json.dump([listing(job["mode"], job["scripts"]) for job in jobs], sys.stdout)
    return 0


if __name__ == "__main__":
    init = sandbox.spawn_sandbox(main)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(init, 0)[1]))
