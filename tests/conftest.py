"""Fixtures: the real data, and the command line."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from cases import SHARED, Ran
from cryodedup import MicrographParams, ParticleParams, deduplicate_particles, find_duplicate_micrographs
from cryodedup.cli import run
from cryodedup.demo import make_micrographs, make_refined, make_session
from cryodedup.demo.micrographs import BIN


def pytest_configure() -> None:
    """Signals act as in a terminal, also if the tests run in the background or under ``nohup``; programs that they start inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def real() -> Path:
    """Directory of the real files."""
    return SHARED / "data" / "real"


@pytest.fixture
def derived() -> Path:
    """Directory of the .cs files derived from two real sets."""
    return SHARED / "data" / "derived_cs"


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of the demo's sessions: ``particles``, ``unique`` and ``refined``."""
    directory = tmp_path_factory.mktemp("pages")
    session = make_session(directory / "session")
    deduplicate_particles(session.paths, ParticleParams(min_separation_a=40)).write(directory / "particles")
    planted = make_micrographs(directory / "session")
    find_duplicate_micrographs(planted.star, MicrographParams(bin=BIN)).write(directory / "unique")
    refined = ParticleParams(min_separation_a=40, micrographs=planted.star)
    deduplicate_particles(make_refined(planted).path, refined).write(directory / "refined")
    return directory


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs the command line in this process."""

    def call(*arguments: object) -> Ran:
        capsys.readouterr()
        status = run([os.fspath(argument) if isinstance(argument, Path) else str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(status, captured.out, captured.err)

    return call
