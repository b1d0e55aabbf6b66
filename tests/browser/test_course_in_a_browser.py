"""What a learner does in JupyterLab: read a chapter, work on a lab, come back to the start page."""

from __future__ import annotations

import pytest
from jupyterlab_page import SHOWN, Page, Terminal, wait_for
from page_faults import look_right
from selenium.webdriver import Keys

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

LAB = "services/menu-refuses-everyone"
TITLE = "The menu refuses everyone"
REPAIR = '{"spec":{"selector":{"tier":"backend"}}}'
PANEL = f"{SHOWN} .podwalk-lab"
START = f"{SHOWN} .podwalk-start"
LINE = ".podwalk-labs > .widget-hbox"


@pytest.fixture(autouse=True)
def _without_labs(terminal: Terminal) -> None:
    """Each test meets a cluster on which nothing is broken."""
    terminal.run("podwalk", "lab", "stop", LAB, sure=False)


def _start_page(page: Page, **how: object) -> None:
    page.open("index.ipynb", **how)
    page.run_all()
    page.see(f"{SHOWN} .pw-next-step")


def _open_lab(page: Page) -> None:
    page.click(f"{SHOWN} .widget-toggle-button", "services")
    page.click(f"{SHOWN} {LINE} button", TITLE)
    page.see(PANEL, "It is not running yet")


def test_from_a_chapter_to_full_marks(page: Page, terminal: Terminal) -> None:
    _start_page(page)
    page.see(".pw-next-step", "Read the chapter Orientation")
    page.picture("start-page")

    page.click(f"{SHOWN} .pw-chapter a", "Orientation")
    page.see(".lm-TabBar-tab.lm-mod-current", "00-orientation")
    page.ready("00-orientation.ipynb")
    page.run_all()
    page.picture("chapter")
    chapter = page.save("00-orientation.ipynb")
    outputs = [output for cell in chapter.cells for output in cell.get("outputs", ())]
    assert [o for o in outputs if o.output_type == "error"] == []
    assert len([o for o in outputs if "image/png" in o.get("data", {})]) > 3

    page.click(".lm-TabBar-tab", "index.ipynb")
    page.run_all()
    page.see(f"{SHOWN} .pw-next-step", "Read the chapter The Pod network")
    page.see(f"{SHOWN} .pw-chapter .pw-good", "✔")
    assert "0 of" in page.see(f"{SHOWN} .pw-total").text

    _open_lab(page)
    page.click(f"{PANEL} button", "Check")
    page.see(PANEL, "is not running; start it")
    page.click(f"{PANEL} button", "Start")
    page.see(PANEL, "It is running. Find out what is wrong.")
    page.see(f"{SHOWN} .pw-next-step", "Go on with the lab you started")
    page.click(f"{PANEL} button", "Check")
    page.see(f"{PANEL} .pw-not-yet", "connection refused")
    page.click(f"{PANEL} button", "Hint")
    page.see(f"{PANEL} .pw-hint", "Who had time to say no")
    page.picture("lab-not-yet")
    terminal.run("kubectl", "-n", "canteen", "patch", "service", "menu", "-p", REPAIR)
    page.click(f"{PANEL} button", "Check")
    page.see(PANEL, "10 of 10 points")
    page.see(f"{PANEL} .pw-next", "Done. Why it was so")
    page.picture("lab-passed")
    page.click(f"{PANEL} .jupyter-widget-Collapse-header", "Why it was so")
    page.see(f"{PANEL} .jupyter-widget-Collapse-open .jp-RenderedMarkdown", "Evidence")
    page.picture("lab-reasons")

    page.see(f"{SHOWN} {LINE}", "✔ 10 of 10")
    wait_for(lambda: page.see(f"{SHOWN} .pw-total").text.startswith("1 of "), "the progress is counted")
    page.picture("progress")
    assert "10 of 10" in terminal.run("podwalk", "lab", "list")


def test_by_keyboard_alone(page: Page) -> None:
    page.open("index.ipynb")
    page.press(Keys.ARROW_DOWN)
    page.chord(Keys.SHIFT, Keys.ENTER)
    page.see(f"{SHOWN} .pw-next-step")
    _tab_to(page, "services")
    page.press(Keys.SPACE)
    _tab_to(page, TITLE)
    page.press(Keys.ENTER)
    page.see(PANEL, "It is not running yet")
    _tab_to(page, "Start")
    page.press(Keys.SPACE)
    page.see(PANEL, "It is running. Find out what is wrong.")
    _tab_to(page, "Check")
    page.picture("keyboard")
    page.press(Keys.ENTER)
    page.see(f"{PANEL} .pw-not-yet", "connection refused")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_it_is_right_in_every_theme_and_width(page: Page, terminal: Terminal, theme: str) -> None:
    _start_page(page, theme=theme)
    look_right(page, f"start-page-{theme}", START)
    _open_lab(page)
    page.click(f"{PANEL} button", "Start")
    page.see(PANEL, "It is running")
    page.click(f"{PANEL} button", "Check")
    page.see(f"{PANEL} .pw-not-yet", "connection refused")
    look_right(page, f"lab-not-yet-{theme}", START)
    terminal.run("kubectl", "-n", "canteen", "patch", "service", "menu", "-p", REPAIR)
    page.click(f"{PANEL} button", "Check")
    page.see(f"{PANEL} .pw-good", "Done. Why it was so")
    page.click(f"{PANEL} .jupyter-widget-Collapse-header", "Why it was so")
    look_right(page, f"lab-passed-{theme}", START)


def _tab_to(page: Page, words: str) -> None:
    """Press Tab until what has the focus says ``words``, and look that one sees where the focus is."""
    script = "const e = document.activeElement; return [e.textContent, getComputedStyle(e).outlineStyle]"
    for _ in range(80):
        text, outline = page.driver.execute_script(script)
        if text.strip() == words:
            assert outline != "none", words
            return
        page.press(Keys.TAB)
    raise AssertionError(f"Tab never came to {words}")
