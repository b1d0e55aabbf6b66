"""A mock interview in JupyterLab: begun, answered, loaded anew, gone on with, and looked back on."""

from __future__ import annotations

import contextlib

import nbformat
import pytest
from jupyterlab_page import SHOWN, Page, Server, Terminal, wait_for
from page_faults import look_right

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

NAME = "an-interview.ipynb"
PANEL = f"{SHOWN} .podwalk-interview"


@pytest.fixture(autouse=True)
def _notebook(server: Server) -> None:
    """A notebook with the panel alone."""
    cell = nbformat.v4.new_code_cell("from podwalk.views import open_course\n\nopen_course().interview(seed=4)")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})
    nbformat.write(notebook, server.folder / "notebooks" / NAME)


def _open(page: Page, theme: str = "Light") -> None:
    page.open(NAME, theme=theme)
    page.run_all()
    page.see(f"{PANEL} button", "Begin")


def _place(page: Page) -> str:
    """Part and number of the question that is shown; nothing where there is none."""
    return " ".join(e.text for e in page.all(f"{PANEL} .pw-top, {PANEL} .pw-parts b"))


def _click_on(page: Page, words: str) -> None:
    """Click, and wait for what comes next."""
    before = wait_for(lambda: _place(page), "a question")
    page.click(f"{PANEL} button", words)
    wait_for(lambda: _place(page) != before, f"what comes after {before}")


def _answer(page: Page, number: int) -> None:
    """Give some answer to the question of this number."""
    page.see(f"{PANEL} .pw-top", f"{number} of 10")
    before = wait_for(lambda: _place(page), "a question")

    def answered() -> bool:
        # The number is there before the choices are: those of the question before may still be on the page.
        for box in page.all(f"{PANEL} input[type=radio], {PANEL} input[type=checkbox]")[:1]:
            box.click()
        page.click(f"{PANEL} button", "Answer")
        with contextlib.suppress(AssertionError):
            return wait_for(lambda: _place(page) != before, f"what comes after {before}", seconds=5)
        return False

    wait_for(answered, f"question {number} is answered")


def _pass_all(page: Page) -> None:
    """Say of every question up to the live part, or to the end, that one does not know."""

    def passed() -> bool:
        words = {e.text.strip(): e for e in page.all(f"{PANEL} button")}
        if "I do not know" in words:
            page.driver.execute_script("arguments[0].click()", words["I do not know"])
        return "Leave it out" in words or bool(page.all(f"{PANEL} .pw-radar"))

    wait_for(passed, "the last question")


def test_begun_answered_loaded_anew_and_gone_on_with(page: Page, terminal: Terminal) -> None:
    _open(page)
    page.click(f"{PANEL} button", "Begin")
    _answer(page, 1)
    _answer(page, 2)
    page.see(f"{PANEL} .pw-top", "3 of 10")
    assert "interrupted" in terminal.run("podwalk", "interview", "list")
    page.save(NAME)
    page.driver.refresh()
    # The kernel has lived on, and its panel with it.
    _answer(page, 3)
    page.see(f"{PANEL} .pw-top", "4 of 10")
    # Now the kernel ends as well, and the cell is run once more.
    _open(page)
    page.see(PANEL, "3 answered")
    page.click(f"{PANEL} button", "Go on")
    page.see(f"{PANEL} .pw-top", "4 of 10")
    assert "8 minutes left" in (page.see(f"{PANEL} .pw-clock").get_attribute("title") or "")
    # A saved output names widgets that the new page does not have yet, or whose kernel is gone; JupyterLab complains.
    complaints = page.console()
    assert all("jupyterlab-manager" in text for text in complaints), complaints


def test_the_live_part_and_the_report(page: Page, terminal: Terminal) -> None:
    _open(page)
    page.click(f"{PANEL} button", "Begin")
    page.see(f"{PANEL} .pw-top", "1 of 10")
    _pass_all(page)
    page.see(PANEL, "will be broken in your cluster browser")
    page.click(f"{PANEL} button", "Begin")
    page.see(f"{PANEL} button", "I suppose")
    fields = f"{PANEL} input[type=text]"
    supposed, command = wait_for(lambda: found if len(found := page.all(fields)) == 2 else None, "both fields")
    supposed.send_keys("the </div> is <script>alert(1)</script>")
    page.click(f"{PANEL} button", "I suppose")
    page.see(f"{PANEL} summary", "<script>")
    command.send_keys("kubectl -n tramway get services")
    page.click(f"{PANEL} button", "Run")
    page.see(f"{PANEL} details pre", "ClusterIP")
    look_right(page, "interview-live", PANEL)
    page.click(f"{PANEL} button", "It is repaired")
    page.see(f"{PANEL} button", "Hand in")
    look_right(page, "interview-live-answer", PANEL)
    page.click(f"{PANEL} button", "Back")
    page.click(f"{PANEL} button", "Give up")
    page.click(f"{PANEL} button", "Really give up?")
    page.see(f"{PANEL} .pw-radar text", "dns")
    page.see(PANEL, "No live part: it was given up.")
    assert "tramway" not in terminal.run("kubectl", "get", "namespaces")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_it_is_right_in_every_theme_and_width(page: Page, theme: str) -> None:
    _open(page, theme)
    look_right(page, f"interview-begin-{theme}", PANEL)
    page.click(f"{PANEL} .widget-toggle-button", "Staff")
    page.see(PANEL, "75 minutes")
    page.click(f"{PANEL} button", "Begin")
    page.see(f"{PANEL} textarea").send_keys("DNS, by the search list.\n</div><script>alert(1)</script>")
    page.click(f"{PANEL} button", "Hint")
    page.see(f"{PANEL} li", "What does curl know")
    look_right(page, f"interview-words-{theme}", PANEL)
    _click_on(page, "Answer")
    _pass_all(page)
    page.see(f"{PANEL} .pw-radar")
    page.click(f"{PANEL} .jupyter-widget-Collapse-header", "1. ")
    page.see(f"{PANEL} .pw-own", "<script>")
    look_right(page, f"interview-report-{theme}", PANEL)
    names = [e.get_attribute("download") or "" for e in page.all(f"{PANEL} a[download]")]
    assert [n.rpartition(".")[2] for n in names] == ["md", "html", "json"]
