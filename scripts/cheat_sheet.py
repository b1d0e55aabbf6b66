#!/usr/bin/env python3
"""Write docs/cheat-sheet.md from the tested list of commands (src/podwalk/faults/cheatsheet.yaml)."""

from __future__ import annotations

from pathlib import Path

from podwalk.faults.cheatsheet import markdown

if __name__ == "__main__":
    page = Path(__file__).parents[1] / "docs" / "cheat-sheet.md"
    page.write_text(markdown(), encoding="utf-8")
    print(page)
