"""TCP connections without a word said on them: open, refused, or no answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from podwalk.checks.http import OWN_PORT
from podwalk.checks.shell import Shell

OPEN, REFUSED, TIMEOUT, UNKNOWN_NAME = "open", "refused", "no answer", "name not known"
# The exit codes of our own script, by fate.
_FATES = {"0": OPEN, "1": REFUSED, "2": TIMEOUT, "3": UNKNOWN_NAME}
_TARGET = re.compile(r"^(?P<host>[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})$")
_SLACK = 10.0

# curl asks for a page, so that a web server's answer ends the wait; other listeners show by the time of connect.
_ONE = (
    "tell {index} \"$(curl -q -s --noproxy '*' {port} --connect-timeout {timeout:g} -m {timeout:g} "
    '-w "%{{exitcode}} %{{time_connect}}" -o /dev/null http://{target}/ 2>/dev/null)" &'
)
_HEAD = (
    'tell() { code=${2%% *}; connected=${2#* }; case "$connected:$code" in '
    '0.000000:7) r=1;; 0.000000:28) r=2;; 0.000000:6) r=3;; 0.000000:*) r=2;; *) r=0;; esac; echo "$1 $r"; }; '
)


def check_target(target: str) -> str:
    """``host:port`` as it is. Raises ValueError on anything else."""
    found = _TARGET.match(target)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise ValueError(f"{target!r} is no target; write host:port")
    return target


def fates(shell: Shell, place: str, targets: Sequence[str], timeout: float) -> list[str]:
    """What becomes of one connection to each target, all at once, from one place.

    Returns OPEN, REFUSED, TIMEOUT or UNKNOWN_NAME for each. Raises NotYetError or CouldNotTellError as the shell does.
    """
    runs = [_ONE.format(index=i, target=check_target(t), timeout=timeout, port=OWN_PORT) for i, t in enumerate(targets)]
    output = shell.run(place, _HEAD + " ".join(runs) + " wait", timeout + _SLACK)
    told = dict(line.split(" ", 1) for line in output.splitlines() if " " in line)
    return [_FATES.get(told.get(str(i), ""), TIMEOUT) for i in range(len(targets))]
