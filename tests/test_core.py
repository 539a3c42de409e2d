"""The compiled core as Python sees it: kinds of errors, pools of threads."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import threading
import time
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from cryodedup import _core
from cryodedup.errors import InputError, InUseError, Kind, reason_of
from cryodedup.formats.star import open_star, quoted
from cryodedup.names import as_options, named
from cryodedup.particles.points import Points


def _rejected() -> int:
    """Two equal points, by all threads."""
    points = np.zeros((2, 2))
    return len(_core.deduplicate(Points(points), 1.0, threads=0).rejected)


def _child(results: multiprocessing.SimpleQueue[int]) -> None:
    results.put(_rejected())


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own() -> None:
    assert _rejected() == 1  # the parent's pool
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    child = context.Process(target=_child, args=(results,))
    child.start()
    child.join(30)
    hangs = child.is_alive()
    child.kill()
    assert not hangs
    assert results.get() == 1
    assert _rejected() == 1


def test_several_threads_may_call_at_once() -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(_rejected())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [1] * 8


def test_an_exception_of_progress_ends_the_job(tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop(_done: int) -> None:
        raise StopError

    path = tmp_path / "big"
    with path.open("wb") as file:
        file.truncate(4 << 30)  # sparse: seconds of reading, unless it is stopped
    started = time.perf_counter()
    with pytest.raises(StopError):
        _core.read_records(path, _core.Rows.records(path, 0, 4, 1 << 30), [(0, "S1")], threads=1, progress=stop)
    assert time.perf_counter() - started < 20
    assert _rejected() == 1


def test_errors_have_parts(tmp_path: Path) -> None:
    path = tmp_path / "p.star"
    path.write_text("data_\nloop_\n_x\n_y\n1 2\n1 z\n")
    with pytest.raises(InputError) as of_cell:
        open_star([path], numbers=("x", "y"))
    error = of_cell.value
    parts = (error.kind, error.path, error.line, error.field, error.found, error.expected)
    assert parts == ("malformed", str(path), 6, "y", "'z'", "a number")
    assert str(error) == f"{path}, line 6: y: found 'z', expected a number"
    with pytest.raises(InputError) as of_file:
        _core.read_records(path, _core.Rows.records(path, 0, 8, 100), [], threads=1)
    assert (of_file.value.kind, of_file.value.path, of_file.value.line) == ("truncated", str(path), None)
    with pytest.raises(InputError) as of_parameter:
        _core.Rows.records(path, 0, 4, 3).start(4)
    assert (of_parameter.value.kind, of_parameter.value.field, of_parameter.value.found) == ("parameter", "row", "4")
    with pytest.raises(FileNotFoundError):
        open_star([tmp_path / "none.star"])


def test_an_error_makes_its_sentence_and_survives_other_processes() -> None:
    error = InUseError(kind="malformed", path=Path("a.star"), line=3, field="rlnX", found="'z'", expected="a number", remedy="mend it")
    assert str(error) == "a.star, line 3: rlnX: found 'z', expected a number; mend it"
    for same in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(same), str(same), same.line, same.remedy) == (InUseError, str(error), 3, "mend it")
    assert str(error.but(path="table", line=None, row=0, found=None)) == "table, row 0: rlnX: missing a number; mend it"
    assert reason_of(InputError(kind="missing", path="a.mrc", reason="no such file")) == "no such file"
    assert {*get_args(Kind)} == {kind for kind in get_args(Kind) if f"``{kind}``" in str(InputError.__doc__)}
    choice = InputError(
        kind="conflict", field=named("half_sets", "repair"), found=named("min_separation_a", 5), remedy=named("overwrite", True)
    )
    assert (choice.field, choice.found, choice.remedy) == ("half_sets", "min_separation_a=5", "overwrite=True")
    assert str(choice) == 'half_sets="repair": found min_separation_a=5; overwrite=True'
    assert choice.spelled(as_options) == "--half-sets repair: found --min-separation 5; --overwrite"
    long = InputError(kind="malformed", path="p.star", found="x" * 100_000)
    assert len(str(long)) < 1000


@pytest.mark.parametrize("value", ["a.mrc", "#a.mrc", "mic#1.mrc", "a b.mrc", "it's", 'say "x"', "_x", "", "'", ";", "x\ty", "data_x"])
def test_a_quoted_value_is_read_as_it_was(tmp_path: Path, value: str) -> None:
    path = tmp_path / "q.star"
    path.write_text(f"data_\nloop_\n_a\n_b\n_c\n1 {quoted(value)} 2\n{quoted(value)} 1 2\n")
    (file,) = open_star([path], names=("b",))
    assert [[row["a"], row["b"]] for row in file.rows(file.tables[0])] == [["1", value], [value, "1"]]


def test_one_decision_a_row(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x" * 12)
    part = _core.Part.rows(path, _core.Rows.records(path, 0, 4, 3), np.ones(2, bool))
    with pytest.raises(InputError, match="rows: found 2 decisions, expected one for each of 3 rows"):
        _core.split([part], tmp_path / "k", tmp_path / "r")
