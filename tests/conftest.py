"""Fixtures: the real data, and the command line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cases import SHARED, Ran
from cryodedup.cli import run


@pytest.fixture
def real() -> Path:
    """Directory of the real files."""
    return SHARED / "data" / "real"


@pytest.fixture
def derived() -> Path:
    """Directory of the .cs files derived from two real sets."""
    return SHARED / "data" / "derived_cs"


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs the command line in this process."""

    def call(*arguments: object) -> Ran:
        capsys.readouterr()
        status = run([os.fspath(argument) if isinstance(argument, Path) else str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(status, captured.out, captured.err)

    return call
