"""What runs inside the sandbox: each function of bodies_*.py returns something JSON can carry, the tests judge it.

Started by `python bodies.py NAME`, also as an ordinary user: standard library and podwalk.netns only.
"""

from __future__ import annotations

import os
import sys

import bodies_containers
import bodies_enter
import bodies_network
from body_tools import answer

from podwalk.netns import sandbox

FROM_OUTSIDE = ("hold", "guarded", "entering")


def main() -> int:
    name = sys.argv[1]
    if name in FROM_OUTSIDE:
        return int(getattr(bodies_enter, name)(*map(int, sys.argv[2:])))
    body = getattr(bodies_network, name, None) or getattr(bodies_containers, name)
    read_end, write_end = os.pipe()
    pid = sandbox.spawn_sandbox(lambda: answer(body, write_end))
    os.close(write_end)
    with open(read_end) as file:
        print(file.read())
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
