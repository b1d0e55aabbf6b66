"""JupyterLab as a learner has it: the server, and a page of it in a real browser.

Everything that the server keeps is in a folder of this run, and the notebooks are copies, so that neither the learner's
JupyterLab nor the repository changes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import nbformat
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
# The notebook in front; those in other tabs are in the page too.
SHOWN = ".jp-NotebookPanel:not(.lm-mod-hidden)"
_TOKEN = "a-token-of-this-test"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--force-device-scale-factor=1", "--hide-scrollbars", "--lang=en",
)  # fmt: skip

T = TypeVar("T")


def what_is_missing() -> str:
    """Why there is no browser here, and the cure; or an empty text."""
    if not any(shutil.which(name) for name in _BROWSERS):
        return "Chromium is not installed: apt-get install chromium chromium-driver"
    if shutil.which("chromedriver") is None:
        return "chromedriver is not installed: apt-get install chromium-driver"
    return ""


def wait_for(look: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
    """What ``look`` finds as soon as it finds something. Raises AssertionError."""
    until = time.monotonic() + seconds
    while True:
        try:
            found = look()
        except (StaleElementReferenceException, urllib.error.HTTPError):
            # The page was drawn anew while we looked, or the server is just writing what we ask about.
            found = None
        if found:
            return found
        assert time.monotonic() < until, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.1)


@dataclass(frozen=True)
class Terminal:
    """A learner's terminal."""

    env: dict[str, str]

    def run(self, *argv: str, sure: bool = True) -> str:
        """Run a command, which must succeed unless we are not ``sure``; what it printed."""
        done = subprocess.run(argv, env=self.env, capture_output=True, text=True, check=False, timeout=100)
        assert done.returncode == 0 or not sure, f"{' '.join(argv)}: {done.stdout}{done.stderr}"
        return done.stdout


@dataclass(frozen=True)
class Server:
    """A JupyterLab server. ``folder`` is what it shows."""

    url: str
    folder: Path
    settings: Path

    def theme(self, name: str) -> None:
        """Which theme pages have from now on: Light or Dark."""
        folder = self.settings / "@jupyterlab" / "apputils-extension"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "themes.jupyterlab-settings").write_text(json.dumps({"theme": f"JupyterLab {name}"}))

    def ask(self, path: str) -> Any:
        """What the server's API says."""
        with urllib.request.urlopen(f"{self.url}{path}?content=0&token={_TOKEN}", timeout=10) as answer:
            return json.load(answer)

    def end_kernels(self) -> None:
        """End what runs, so that a test begins with nothing."""
        for session in self.ask("api/sessions"):
            where = f"{self.url}api/sessions/{session['id']}?token={_TOKEN}"
            with urllib.request.urlopen(urllib.request.Request(where, method="DELETE"), timeout=10):
                pass


@contextmanager
def serve(folder: Path, env: dict[str, str]) -> Iterator[Server]:
    """A JupyterLab server on a free port, for as long as the context lasts."""
    state = folder / "state"
    course = folder / "course"
    shutil.copytree(ROOT / "notebooks", course / "notebooks")
    settings = state / "settings"
    own = {
        "PODWALK_COURSE": str(ROOT),
        "HOME": str(state),
        "JUPYTER_CONFIG_DIR": str(state / "config"),
        "JUPYTER_DATA_DIR": str(state / "data"),
        "JUPYTER_RUNTIME_DIR": str(state / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(state / "workspaces"),
        "IPYTHONDIR": str(state / "ipython"),
        "JUPYTER_TOKEN": _TOKEN,
    }
    _quiet(settings)
    argv = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"]
    argv += [f"--ServerApp.root_dir={course}", *(["--allow-root"] if os.geteuid() == 0 else [])]
    state.mkdir(exist_ok=True)
    with (state / "log").open("w") as log:
        process = subprocess.Popen(argv, env={**env, **own}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield Server(_address(process, state), course, settings)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _quiet(settings: Path) -> None:
    """As ./start sets it: no question about news, no look for updates."""
    folder = settings / "@jupyterlab" / "apputils-extension"
    folder.mkdir(parents=True)
    (folder / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')


def _address(process: subprocess.Popen[bytes], state: Path) -> str:
    def told() -> str:
        assert process.poll() is None, f"JupyterLab ended: {(state / 'log').read_text()[-2000:]}"
        for path in (state / "runtime").glob("jpserver-*.json"):
            try:
                url = str(json.loads(path.read_text())["url"])
                with urllib.request.urlopen(f"{url}api?token={_TOKEN}", timeout=5):
                    return url
            except (ValueError, urllib.error.URLError):
                continue
        return ""

    return wait_for(told, "JupyterLab starts")


@dataclass
class Page:
    """A page of JupyterLab in a browser."""

    driver: webdriver.Chrome
    server: Server
    pictures: Path

    def open(self, name: str, *, theme: str = "Light", size: tuple[int, int] = (1280, 900)) -> None:
        """Open a notebook in a fresh layout, and wait for its kernel."""
        # A page whose kernel goes away under it looks for widgets that are gone, saves itself, and complains.
        self.driver.get("about:blank")
        self.server.end_kernels()
        self.server.theme(theme)
        self.resize(*size)
        self.driver.get(f"{self.server.url}lab/tree/notebooks/{name}?reset&token={_TOKEN}")
        self.see(f"body[data-jp-theme-name='JupyterLab {theme}']")
        self.ready(name)

    def ready(self, name: str) -> None:
        """Wait until the notebook in front, which is this one, can be run."""
        self.see(f"{SHOWN} .jp-Notebook .jp-Cell")
        wait_for(lambda: self._kernel(name) == "idle", f"the kernel of {name} starts")

    def resize(self, width: int, height: int) -> None:
        """The page itself, without the window's frame."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def all(self, selector: str) -> list[WebElement]:
        """What there is now."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def see(self, selector: str, text: str = "", seconds: float = PATIENCE) -> WebElement:
        """Wait until something is on the page, with this text in it."""

        def look() -> WebElement | None:
            return next(
                (e for e in self.all(selector) if text in (e.text or e.get_attribute("textContent") or "")), None
            )

        return wait_for(look, f"{selector} with {text!r}", seconds)

    def click(self, selector: str, text: str = "") -> None:
        """Click as soon as it can be clicked."""

        def look() -> bool:
            element = self.see(selector, text)
            if not element.is_enabled():
                return False
            self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
            try:
                element.click()
            except WebDriverException:
                return False
            return True

        wait_for(look, f"{selector} with {text!r} can be clicked")

    def press(self, *keys: str) -> None:
        """Keys, one after the other, for whatever has the focus."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def chord(self, modifier: str, key: str) -> None:
        """Two keys at once."""
        ActionChains(self.driver).key_down(modifier).send_keys(key).key_up(modifier).perform()

    def run_all(self) -> None:
        """Run ▸ Run All Cells, and wait until the kernel has nothing to do; then save."""
        self.click(".lm-MenuBar-itemLabel", "Run")
        self.click("li[data-command='runmenu:run-all']")
        wait_for(lambda: not self._unrun(), "every cell has run", 400)

    def save(self, name: str) -> Any:
        """Save the notebook that is shown, all of which has run; how it was written."""
        self.chord(Keys.CONTROL, "s")
        return wait_for(lambda: _with_outputs(self.server.folder / "notebooks" / name), f"{name} is saved")

    def picture(self, name: str) -> None:
        """Keep a screenshot."""
        self.pictures.mkdir(parents=True, exist_ok=True)
        (self.pictures / f"{name}.png").write_bytes(self.driver.get_screenshot_as_png())

    def console(self) -> list[str]:
        """The errors that the browser's console has shown since it was asked last."""
        return [e["message"] for e in self.driver.get_log("browser") if e["level"] == "SEVERE"]

    def _kernel(self, name: str) -> str:
        sessions = self.server.ask("api/sessions")
        return next((s["kernel"]["execution_state"] for s in sessions if s["path"] == f"notebooks/{name}"), "")

    def _unrun(self) -> bool:
        selector = f"{SHOWN} .jp-CodeCell .jp-InputArea-prompt"
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)"
        prompts = self.driver.execute_script(script, selector)
        return any("*" in p or p in ("[ ]:", "") for p in prompts)


@contextmanager
def browse(server: Server, pictures: Path, profile: Path) -> Iterator[Page]:
    """A browser with a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = next(path for name in _BROWSERS if (path := shutil.which(name)))
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield Page(driver, server, pictures)
    finally:
        driver.quit()


def _with_outputs(path: Path) -> Any:
    """The notebook, if it was saved after all its cells had run. JupyterLab writes in place: it may be half there."""
    try:
        notebook = nbformat.reads(path.read_text(), as_version=4)
    except ValueError:
        return None
    return notebook if all(c.execution_count for c in notebook.cells if c.cell_type == "code") else None
