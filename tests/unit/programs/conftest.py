"""A fixture that starts programs and ends what still runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from program_process import Program, command


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    """Start programs; whatever still runs afterwards is ended."""
    started: list[Program] = []

    def begin(program: str, *arguments: str, told_to_go: bool = False, **environment: str) -> Program:
        started.append(Program(command(program, *arguments), environment, told_to_go))
        return started[-1]

    yield begin
    for program in started:
        program.stop()
