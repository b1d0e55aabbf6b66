"""JupyterHub: each learner of a podwalk class has a server in their own folder, and the admins have the board.

For any spawner that starts servers on this machine, and any authenticator: jupyterhub_config.py beside this file loads
it, and so does The Littlest JupyterHub from /opt/tljh/config/jupyterhub_config.d. It needs nothing but JupyterHub.
A learner's name in the roster is their name in the hub. $PODWALK_CLASS is the folder of the class,
$PODWALK_BIN the one that has podwalk and jupyterhub-singleuser; docs/jupyterhub.md has the rest.
"""

import json
import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821  JupyterHub's own

FOLDER = Path(os.environ.get("PODWALK_CLASS", "/srv/podwalk"))
TLJH = Path("/opt/tljh/user/bin")
BIN = Path(os.environ.get("PODWALK_BIN") or (TLJH if TLJH.is_dir() else Path(sys.executable).parent))
# Where every account may run it; in a clone it is beside this file.
INSTALLED = BIN / "podwalk-singleuser"
SINGLEUSER = INSTALLED if INSTALLED.exists() else Path(__file__).resolve().with_name("singleuser")
BOARD_PORT = int(os.environ.get("PODWALK_BOARD_PORT", "8891"))


def learners():
    """The learners' names, as podwalk class up wrote them down. Only who began the class may read it."""
    file = FOLDER / "class.json"
    return {entry["name"] for entry in json.loads(file.read_text())["learners"]} if file.exists() else set()


def settle(spawner):
    """Lead a learner's server into their folder. Who is not in the class, as an admin, gets a server as ever."""
    if spawner.user.name not in learners():
        return
    home = FOLDER / "learners" / spawner.user.name
    spawner.environment = {
        **spawner.environment,
        "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PODWALK_HOME": str(home),
        "KUBECONFIG": str(home / "clusters" / "podwalk" / "kubeconfig"),
    }
    spawner.cmd = [str(SINGLEUSER)]
    spawner.default_url = "/lab/tree/notebooks/index.ipynb"


c.Spawner.pre_spawn_hook = settle
# When a whole class comes in at the same moment, the last of them waits.
c.Spawner.http_timeout = c.Spawner.start_timeout = 180
c.Authenticator.allowed_users.update(learners())

# The board. Admins may see every service of the hub; learners may see none, unless a role says so.
BOARD = {
    "name": "board",
    "url": f"http://127.0.0.1:{BOARD_PORT}",
    "command": [str(BIN / "podwalk"), "class", "board", "--hub", "--dir", str(FOLDER)],
    "oauth_no_confirm": True,
    "environment": {"PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"},
}
if learners():
    c.JupyterHub.services.append(BOARD)
else:
    # A hub that has other users as well does without the class.
    print(f"{FOLDER}: no class here; begin one: podwalk class up --dir {FOLDER} --roster FILE", file=sys.stderr)
