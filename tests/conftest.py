"""Fixtures: the real data, and the command line."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cases import SHARED, Ran, has_marks
from cryodedup import InputError, MicrographParams, ParticleParams, deduplicate_particles, find_duplicate_micrographs
from cryodedup.cli import run
from cryodedup.demo import make_micrographs, make_refined, make_session
from cryodedup.demo.micrographs import BIN
from cryodedup.names import as_options


def pytest_configure() -> None:
    """Signals act as in a terminal, also if the tests run in the background or under ``nohup``; programs that they start inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _errors_without_marks() -> Iterator[None]:
    """No error that is made in this process has a mark left in its text, for the command line or for Python."""
    make = InputError.__init__

    def made(error: InputError, **parts: Any) -> None:
        make(error, **parts)
        texts = [str(error), error.spelled(as_options), *(str(getattr(error, name)) for name in parts)]
        assert not any(map(has_marks, texts)), parts

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(InputError, "__init__", made)
        yield


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
        assert not has_marks(captured.out + captured.err)
        if "-o" in arguments:
            directory = Path(str(arguments[arguments.index("-o") + 1]))
            written = [path for name in ("summary.json", "report.html", "watch.jsonl") for path in directory.glob(name)]
            assert not [path for path in written if has_marks(path.read_text("utf-8"))]
        return Ran(status, captured.out, captured.err)

    return call
