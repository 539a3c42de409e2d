"""What is said before a long run: how long it will take, from which pieces, and that it costs nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cases import Ran
from cryodedup import MicrographParams, find_duplicate_micrographs
from cryodedup.demo.micrographs import BIN, Planted, make_micrographs
from cryodedup.micrographs import forecast as forecasts
from cryodedup.micrographs import prepared
from cryodedup.micrographs.forecast import Forecast, comparing_work, memory_gb
from cryodedup.micrographs.reading import Reading

Command = Callable[..., Ran]
ALL = MicrographParams()


class Noting:
    """Listens to notes only."""

    def __init__(self, note: Callable[[str], object]) -> None:
        self.note = note

    def stage(self, name: str, total: int | None = None) -> None: ...

    def advance_to(self, done: int) -> None: ...


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return make_micrographs(tmp_path_factory.mktemp("session"))


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short runs are measured and announced like long ones."""
    monkeypatch.setattr(forecasts, "_MIN_MEASURED_S", 0.0)
    monkeypatch.setattr(prepared, "MIN_SAID_S", 0.0)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (
            Forecast(reading_s=480, comparing_s=240, memory_gb=3.14, frame_s=0.1, pairs=12_497_500),
            "about 12 min and 3.1 GB of memory: reading 8 min (0.1 s per micrograph), comparing 4 min (12.5 million pairs)",
        ),
        (
            Forecast(reading_s=0, comparing_s=80, memory_gb=0.5, frame_s=0, pairs=44_850),
            "about 80 s and 0.5 GB of memory: comparing 80 s (44,850 pairs)",
        ),
        (
            Forecast(reading_s=36_000, comparing_s=3600, memory_gb=12.2, frame_s=0.72, pairs=1_249_975_000),
            "about 11.0 h and 12.2 GB of memory: reading 10.0 h (0.72 s per micrograph), comparing 60 min (1.25 billion pairs)",
        ),
    ],
)
def test_the_line(expected: Forecast, text: str) -> None:
    assert str(expected) == text


def test_the_work_of_comparing() -> None:
    """Loading each, all pairs and as many mirrored ones closely; from 633 micrographs on most are screened."""
    loading = forecasts.LOADING
    assert comparing_work(1, ALL, signal=0.2) == loading
    assert comparing_work(100, ALL, signal=0.2) == 100 * loading + 2 * 4950
    small, large = (comparing_work(n, ALL, signal=0.2) for n in (632, 10_000))
    assert 1 < large / small < (10_000 / 632) ** 2
    window = MicrographParams(search="window")
    once, twice = (comparing_work(n, window, signal=0.2) for n in (1000, 2000))
    assert 1.5 < twice / once < 2.1


@pytest.mark.parametrize("n", [640, 2000, 3500, 5000])
def test_the_work_depends_on_how_the_signal_lets_pairs_be_screened(n: int) -> None:
    dim, usual, bright = (comparing_work(n, ALL, signal=signal) for signal in (0.03, 0.2, 0.8))
    assert bright < usual
    assert (dim > usual) == (n <= 3500)
    assert comparing_work(n, MicrographParams(sensitivity="full"), signal=0.8) == usual
    assert comparing_work(n, MicrographParams(sensitivity="fast"), signal=0.03) == bright


@pytest.mark.parametrize(
    ("n", "signal", "core_s"),
    [(300, 0.0, 60 + 1.4), (640, 0.03, 3.4 + 51.6 + 265), (700, 0.8, 4.2 + 17.7 + 134), (2000, 0.8, 8.5 + 30.9 + 20.7)],
)
def test_the_work_is_that_of_measured_sessions(n: int, signal: float, core_s: float) -> None:
    """Core-seconds: loading and screening as measured, and 0.66 ms, as measured at 300, for each pair that was left to look at closely."""
    assert 0.66e-3 * comparing_work(n, ALL, signal=signal) == pytest.approx(core_s, rel=0.25)


def test_memory_grows_with_micrographs_and_threads() -> None:
    assert memory_gb(10, 2) < memory_gb(300, 2) < memory_gb(300, 64) < memory_gb(50_000, 64)
    assert 2 < memory_gb(12_000, 2) < 3
    assert 2.5 < memory_gb(50_000, 2) < 6


@pytest.mark.usefixtures("always")
def test_it_is_said_before_most_frames_are_read_and_none_is_read_twice(
    session: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    original = Reading.read

    def record(self: Reading, some: list[int]) -> None:
        read.extend(some)
        original(self, some)

    monkeypatch.setattr(Reading, "read", record)
    said: list[tuple[str, int]] = []
    params = MicrographParams(bin=BIN, threads=2)
    result = find_duplicate_micrographs(
        session.star, params, cache=tmp_path / "cache", progress=Noting(lambda text: said.append((text, len(read))))
    )
    ((text, read_before),) = said
    assert text.startswith("about ")
    assert " GB of memory: reading " in text
    assert "(990 pairs)" in text
    assert read_before == 4
    assert sorted(read) == list(range(len(result.names)))
    summary = result.summary()
    assert summary["forecast"].keys() == {"reading_s", "comparing_s", "memory_gb"}
    assert summary["peak_memory_gb"] > 0
    again: list[str] = []
    resumed = find_duplicate_micrographs(session.star, params, cache=tmp_path / "cache", resume=True, progress=Noting(again.append))
    assert "reading" not in again[0]
    assert [vars(pair) for pair in resumed.pairs] == [vars(pair) for pair in result.pairs]


@pytest.mark.usefixtures("always")
def test_the_command_prints_it_unless_quiet(session: Planted, command: Command, tmp_path: Path) -> None:
    arguments = ("micrographs", session.star, "--bin", BIN, "-o", tmp_path / "out", "--overwrite", "--no-report")
    ran = command(*arguments)
    assert (ran.status, len(ran.err.splitlines()), ran.err.startswith("about ")) == (0, 1, True)
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["forecast"]["comparing_s"] > 0
    assert command(*arguments, "-q").err == ""


def test_short_runs_are_not_measured(session: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasts, "_measure", None)
    said: list[str] = []
    result = find_duplicate_micrographs(session.star, MicrographParams(bin=BIN), progress=Noting(said.append))
    assert (said, result.summary()["forecast"]) == ([], None)
