"""A JupyterHub for a podwalk class on one machine: jupyterhub -f container/hub/jupyterhub_config.py

A server runs as the account that owns the learner's folder: the one that the roster names, else the hub's own.
docs/jupyterhub.md has the rest.
"""

import os
import pwd
import shutil
import sys
from pathlib import Path

from jupyterhub.spawner import LocalProcessSpawner, set_user_setuid
from tornado.web import HTTPError

c = get_config()  # noqa: F821  JupyterHub's own
# By its whole name: one that is not found is passed over in silence.
load_subconfig(str(Path(__file__).resolve(strict=True).with_name("class_config.py")))  # noqa: F821

STATE = Path(os.environ.get("PODWALK_CLASS", "/srv/podwalk")) / "hub"


class OwnersSpawner(LocalProcessSpawner):
    """A learner's server is a process of the account that owns their folder."""

    def account(self):
        """The account; for an admin, who has no folder, the one of the same name. Nobody's is root."""
        home = self.environment.get("PODWALK_HOME")
        try:
            if home:
                found = pwd.getpwuid(os.stat(home).st_uid)
            else:
                found = pwd.getpwuid(os.geteuid()) if os.geteuid() else pwd.getpwnam(self.user.name)
        except KeyError:
            raise HTTPError(403, f"{self.user.name} is neither in the class nor an account of this machine") from None
        if not found.pw_uid and os.environ.get("PODWALK_HUB_ROOT") != "yes":
            raise HTTPError(
                403,
                f"{self.user.name} would be root here: give the learners accounts (the roster's column user), or start "
                "class and hub as an ordinary account; on a machine that nobody needs, with PODWALK_HUB_ROOT=yes",
            )
        return found

    def is_ours(self):
        """Whether it is the hub's own account."""
        return self.account().pw_uid == os.geteuid()

    def make_preexec_fn(self, name):
        """What makes the process the account's."""
        return None if self.is_ours() else set_user_setuid(self.account().pw_name)

    def user_env(self, env):
        """A learner's home is their folder: no settings are shared, and an account need not have one."""
        account = self.account()
        env.update(USER=account.pw_name, HOME=self.environment.get("PODWALK_HOME", account.pw_dir), SHELL="/bin/bash")
        return env

    def get_args(self):
        """Jupyter asks root to say so."""
        return [*super().get_args(), *(["--allow-root"] if self.is_ours() and not os.geteuid() else [])]


c.JupyterHub.spawner_class = OwnersSpawner

# Who logs in. Any other authenticator goes here. "pam": the accounts of this machine and their passwords. One password
# for all learners and another, of 32 characters, for the admins is for a room where learners share an account anyway.
c.Authenticator.admin_users = {os.environ.get("PODWALK_ADMIN", "instructor")}
if os.environ.get("PODWALK_HUB_PASSWORD"):
    c.JupyterHub.authenticator_class = "shared-password"
    c.SharedPasswordAuthenticator.user_password = os.environ["PODWALK_HUB_PASSWORD"]
    c.SharedPasswordAuthenticator.admin_password = os.environ["PODWALK_HUB_ADMIN_PASSWORD"]
else:
    c.JupyterHub.authenticator_class = "pam"

# Loopback, until it has TLS: c.JupyterHub.ssl_cert and ssl_key, or a web server in front of it.
c.JupyterHub.bind_url = os.environ.get("PODWALK_HUB_URL", "http://127.0.0.1:8000")

# What the hub remembers and what it signs with is nobody else's.
STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
STATE.chmod(0o700)
c.JupyterHub.db_url = f"sqlite:///{STATE}/hub.sqlite"
c.JupyterHub.cookie_secret_file = f"{STATE}/cookie_secret"
c.ConfigurableHTTPProxy.pid_file = f"{STATE}/proxy.pid"
# Node's proxy where it is installed. The one of PyPI, beside this Python, needs no Node; it passes on ten requests at a
# time, each only when it is complete, which is enough for a handful of learners. It would wait 20 s for an answer, and
# the one to "is my server ready?" is complete when the server is.
_own = Path(sys.executable).with_name("configurable-http-proxy")
_others = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if Path(part) != _own.parent)
_proxy = shutil.which(_own.name, path=_others) or (str(_own) if _own.exists() else _own.name)
c.ConfigurableHTTPProxy.command = [_proxy, "--proxy-timeout=600000"]
