"""Stand-in for ``registry.k8s.io/e2e-test-images/agnhost``: ``python -I -S agnhost.py SUBCOMMAND [flags]``.

The subcommands the labs and the conformance suite use, with the texts, status codes and exit codes of
test/images/agnhost in kubernetes/kubernetes. IPv4 only; SCTP is not served.
"""

from __future__ import annotations

import sys

if not __package__:
    # The program starts without site-packages; its parts lie beside it.
    sys.path.append(__file__.rsplit("/", 3)[0])

from podwalk.programs import agnhost_commands, cobra


def main(arguments: list[str]) -> None:
    """Run the subcommand named on the command line."""
    cobra.execute("app", agnhost_commands.VERSION, agnhost_commands.COMMANDS, arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
