"""When something goes wrong: signals at every stage, outputs that are closed or full, names that are no text, two runs at once."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import Ran, star
from cryodedup import InputError, ParticleParams, ParticleResult, deduplicate_particles, output_directory
from cryodedup.apply import earlier
from cryodedup.cli import demo
from cryodedup.micrographs.listings import write_versions
from cryodedup.micrographs.versions import Version
from cryodedup.particles import listing
from cryodedup.particles.inputs.micrograph_names import normalised_path
from cryodedup.summary_file import read_summary
from cryodedup.system import staging
from cryodedup.system.signals import held_back
from cryodedup.text import cell_of, name_in, original, printable, shown

Command = Callable[..., Ran]
COLUMNS = "CoordinateX CoordinateY AutopickFigureOfMerit MicrographName"
PARTICLES = ["particles", "--pixel-size", "1", "-o"]
ENDED = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "ended by SIGTERM"), signal.SIGHUP: (129, "ended by SIGHUP")}

AT_IMPORT = """
import os, signal, sys
class Step:
    def find_spec(self, name, path=None, target=None):
        if name == {step!r}:
            signal.raise_signal({number})
sys.meta_path.insert(0, Step())
from cryodedup.__main__ import main
main()
"""
AT_STEP = """
import os, shutil, signal, sys, time
from cryodedup.__main__ import main
from cryodedup import _core
{step}
main()
"""
IN_FINALISER = """
class Last:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)
def write_listing(*arguments, **options):
    Last()
    time.sleep(30)
_core.write_listing = write_listing
"""
TWICE = """
remove = shutil.rmtree
def removing(*arguments, **options):
    signal.raise_signal(signal.SIGTERM)
    remove(*arguments, **options)
shutil.rmtree = removing
_core.write_listing = lambda *arguments, **options: signal.raise_signal(signal.SIGTERM)
"""


@pytest.fixture
def picks(tmp_path: Path) -> Path:
    return star(tmp_path / "p.star", [(0, 0, 0.5, "m"), (1, 0, 0.7, "m")], COLUMNS)


@pytest.fixture
def result(picks: Path) -> ParticleResult:
    return deduplicate_particles(picks, ParticleParams(pixel_size_a=1))


def python(program: str, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("number", ENDED)
@pytest.mark.parametrize("step", ["cryodedup.cli", "rich_click", "cryodedup.cli.particles", "numpy", "jinja2"])
def test_a_signal_during_an_import_is_one_line(tmp_path: Path, picks: Path, step: str, number: signal.Signals) -> None:
    ran = python(AT_IMPORT.format(step=step, number=int(number)), *PARTICLES, tmp_path / "out", picks)
    status, line = ENDED[number]
    assert (ran.returncode, ran.stderr) == (status, f"cryodedup: error: {line}\n")
    assert not (tmp_path / "out").exists()


def test_ctrl_c_before_there_is_a_handler_is_one_line(picks: Path) -> None:
    ran = python(AT_IMPORT.format(step="cryodedup.system.signals", number=int(signal.SIGINT)))
    assert (ran.returncode, ran.stderr) == (130, "cryodedup: error: interrupted\n")


@pytest.mark.parametrize("step", [IN_FINALISER, TWICE], ids=["in a finaliser", "twice"])
def test_a_signal_is_neither_lost_nor_taken_twice(tmp_path: Path, picks: Path, step: str) -> None:
    (tmp_path / "out").mkdir()
    ran = python(AT_STEP.format(step=step), *PARTICLES, tmp_path / "out", picks)
    assert (ran.returncode, ran.stderr) == (143, "cryodedup: error: ended by SIGTERM\n")
    assert not [*(tmp_path / "out").iterdir()]


def test_a_signal_that_nohup_ignores_stays_ignored(picks: Path) -> None:
    program = AT_STEP.format(step="_core.write_listing = lambda *arguments, **options: signal.raise_signal(signal.SIGHUP)")
    ran = python(program, *PARTICLES, picks.parent / "out", picks, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert (ran.returncode, ran.stderr) == (0, "")


def test_signals_that_were_held_back_act_afterwards_and_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in ENDED]
    done = []

    def block() -> None:
        with held_back():
            signal.raise_signal(signal.SIGINT)
            done.append("the block")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert done == ["the block"]
    assert [signal.getsignal(number) for number in ENDED] == before


def closed_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


@pytest.mark.parametrize("kind", [pytest.param("full", marks=needs_full), "closed", "pipe"])
def test_a_standard_output_that_takes_nothing_is_status_4(tmp_path: Path, picks: Path, kind: str) -> None:
    options: dict[str, Any] = {"preexec_fn": lambda: os.close(1)}
    if kind != "closed":
        options = {"stdout": closed_pipe() if kind == "pipe" else os.open("/dev/full", os.O_WRONLY)}
    ran = subprocess.run(
        [sys.executable, "-m", "cryodedup", *PARTICLES, tmp_path / "out", picks], stderr=subprocess.PIPE, text=True, check=False, **options
    )  # type: ignore[call-overload]
    reason = {"full": "No space left on device", "closed": "Bad file descriptor", "pipe": "Broken pipe"}[kind]
    assert (ran.returncode, ran.stderr) == (
        4,
        f"cryodedup: error: standard output: {reason}; the run finished, and its files are complete\n",
    )
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["rejected"] == 1


@pytest.mark.parametrize("words", [["--help"], ["particles", "-h"], ["--version"]])
def test_help_of_which_the_end_is_not_read_is_no_error(words: list[str]) -> None:
    ran = subprocess.run([sys.executable, "-m", "cryodedup", *words], stdout=closed_pipe(), stderr=subprocess.PIPE, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_closed_standard_error_never_ends_in_an_output(tmp_path: Path, picks: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "cryodedup", *PARTICLES, tmp_path / "out", picks],
        stdout=subprocess.PIPE,
        check=False,
        preexec_fn=lambda: os.close(2),
    )
    assert ran.returncode == 0
    assert (tmp_path / "out" / "particles_kept.star").read_text().endswith("1 0 0.7 m \n\n")


@needs_full
def test_help_into_a_full_device_is_status_4() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        ran = subprocess.run([sys.executable, "-m", "cryodedup", "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (ran.returncode, ran.stderr.count("\n")) == (4, 1)


ODD = [
    b"\xff.mrc",
    b"c1\xc2\x9b2J.mrc",
    b"bidi\xe2\x80\xae.mrc",
    b'"esc \x1b[31m.mrc"',
    b"=1+1",
    b"-x",
    b"+x",
    b"@x",
    b"'=x",
    "\ufffdFF".encode(),
]


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A file of odd names, whose own name and directory are odd."""
    folder = tmp_path / os.fsdecode(b"d\xfe\x1b[7m")
    folder.mkdir()
    path = folder / os.fsdecode(b"in\xff\r.star")
    labels = "".join(f"_rln{name}\n" for name in COLUMNS.split()).encode()
    rows = b"".join(b"10 10 0.5 %s\n11 10 0.7 %s\n" % (name, name) for name in ODD)
    path.write_bytes(b"data_particles\nloop_\n" + labels + rows)
    return path


def test_odd_names_act_nowhere_and_are_found_again(tmp_path: Path, odd: Path, command: Command) -> None:
    out = tmp_path / os.fsdecode(b"out\xfd\x07")
    box = tmp_path / os.fsdecode(b"box\xfc")
    box.mkdir()
    (box / "m.box").write_text("1 1 2 2\n")
    ran = command(*PARTICLES, out, odd, box)
    assert (ran.status, ran.err) == (0, "")
    for text in (ran.out, command(*PARTICLES, out, odd, box, "--json", "--overwrite").out, (out / "summary.json").read_text("utf-8")):
        assert text.replace("\n", "").isprintable()
    summary = read_summary(out / "summary.json")
    assert summary["sources"][0]["input"] == str(odd)
    assert f"{box.name}_kept/" in summary["outputs"]
    with (out / "duplicates.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [os.fsencode(name_in(row["micrograph"])) for row in rows[: len(ODD)]] == [name.strip(b'"') for name in ODD]
    assert {name_in(row["source"]) for row in rows} == {str(odd)}
    assert not [cell for row in rows for cell in row.values() if not cell.isprintable() or cell[:1] in tuple("=+-@")]
    kept = (out / "particles_kept.star").read_bytes()
    assert all(name in kept for name in ODD)
    assert (out / "report.html").read_text("utf-8").replace("\n", "").replace("\u00a0", "").isprintable()
    assert command(*PARTICLES, out, odd, "--overwrite", "--no-report").status == 0
    assert {path.name for path in out.iterdir()} == {"summary.json", "duplicates.csv", "particles_kept.star", "particles_rejected.star"}
    applied = command("apply", out, odd, "-o", tmp_path / "applied")
    assert (applied.status, applied.err) == (0, "")
    assert "matched 20 by place" in applied.out
    assert applied.out.replace("\n", "").isprintable()


def test_odd_names_in_errors_act_nowhere(tmp_path: Path, odd: Path, command: Command) -> None:
    for arguments in ((tmp_path / "\x1b[1m\u202e\n",), (odd, "--score-field", "\x1b[1m"), (odd, "--\x9b"), (odd.parent, "--seed", "\x1b")):
        ran = command(*PARTICLES, tmp_path / "out", *arguments)
        assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert ran.err.replace("\n", "").isprintable()


@given(st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")) | st.text(st.sampled_from("'=+-@a\ufffdF0\x1b\udcff")))
def test_names_can_be_read_back(name: str) -> None:
    assert original(printable(name)) == name
    assert name_in(cell_of(name)) == name
    assert cell_of(name).isprintable()
    assert cell_of(name)[:1] not in tuple("=+-@")
    assert shown(cell_of(name)) == cell_of(name)
    json.loads(json.dumps(printable(name), ensure_ascii=False).encode())


def test_odd_names_in_the_listings_of_micrographs_are_read_back(tmp_path: Path) -> None:
    names = [os.fsdecode(name) for name in ODD]
    write_versions(names, [Version(0, i, "same file") for i in range(1, len(names))], [], tmp_path / "versions.csv")
    text = (tmp_path / "versions.csv").read_text("utf-8")
    assert text.replace("\n", "").isprintable()
    found = earlier._versions(tmp_path, {"versions": {"removed": len(names) - 1}}, {normalised_path(name) for name in names})
    assert found == {normalised_path(name) for name in names[1:]}


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def test_a_file_that_the_disk_has_no_room_for_is_named(tmp_path: Path, picks: Path, command: Command) -> None:
    """The largest size of a file is limited to less than each of the outputs in turn."""
    out, soft_hard = tmp_path / "out", resource.getrlimit(resource.RLIMIT_FSIZE)
    assert command(*PARTICLES, out, picks, "--min-separation", "0.1").status == 0
    assert command(*PARTICLES, tmp_path / "new", picks).status == 0
    earlier, new, named = contents(out), contents(tmp_path / "new"), set()
    for size in sorted({len(content) for content in new.values()}):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1, soft_hard[1]))
        try:
            ran = command(*PARTICLES, out, picks, "--overwrite")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, soft_hard)
        if ran.status == 0:
            continue
        place, _, reason = ran.err.removeprefix("cryodedup: error: ").partition(": ")
        assert (ran.status, reason) == (1, "File too large\n")
        named.add(str(Path(place).relative_to(out)))
        assert contents(out) == earlier
    assert {"particles_kept.star", "duplicates.csv", "report.html"} <= named <= new.keys()


def test_two_runs_at_once_leave_the_whole_result_of_one(tmp_path: Path, result: ParticleResult, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run writes its result, of other files, between the first one's search and its moves."""
    out = tmp_path / "out"
    (tmp_path / "picks").mkdir()
    (tmp_path / "picks" / "m.box").write_text("1 1 2 2\n1 1 2 2\n")
    second = deduplicate_particles(tmp_path / "picks", ParticleParams(pixel_size_a=1))
    result.write(out)
    expected = {name: content for name, content in contents(out).items() if name != "summary.json"}
    shutil.rmtree(out)
    write = listing._core.write_listing

    def between(*arguments: object, **options: object) -> None:
        monkeypatch.setattr(listing._core, "write_listing", write)
        write(*arguments, **options)
        second.write(out, overwrite=True)

    monkeypatch.setattr(listing._core, "write_listing", between)
    with pytest.raises(InputError, match="output exists"):
        result.write(out)
    monkeypatch.setattr(listing._core, "write_listing", between)
    result.write(out, overwrite=True)
    assert {name: content for name, content in contents(out).items() if name != "summary.json"} == expected


def test_moves_lock_the_directory(tmp_path: Path, result: ParticleResult, monkeypatch: pytest.MonkeyPatch) -> None:
    move, seen = output_directory._move, []

    def moving(*arguments: object) -> None:
        handle = os.open(tmp_path / "out", os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)
        seen.append("locked")
        move(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(output_directory, "_move", moving)
    result.write(tmp_path / "out")
    assert seen == ["locked"]


class Killed(BaseException):
    """The process is dead: from then on nothing changes any file."""


def kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Ends this run, as SIGKILL does, before the given one of its moves and deletions."""
    monkeypatch.setattr(staging, "_runs", lambda pid: False)
    calls = iter(range(step))
    for name in ("rename", "unlink", "rmdir"):

        def dying(of: Callable[..., None], *arguments: object, **options: object) -> None:
            if next(calls, None) is None:
                raise Killed
            of(*arguments, **options)

        monkeypatch.setattr(os, name, partial(dying, getattr(os, name)))


@pytest.mark.parametrize("earlier", [None, "with a page", "without"])
def test_what_a_kill_leaves_is_replaced_by_the_next_run(
    tmp_path: Path, result: ParticleResult, monkeypatch: pytest.MonkeyPatch, earlier: str | None
) -> None:
    """A first run, and one that replaces a result with or without its page, killed before each of their moves and deletions."""
    page = earlier != "with a page"
    expected = set(contents_after(tmp_path / "expected", result, report=page))
    for step in range(100):
        out = tmp_path / f"out{step}"
        if earlier is not None:
            result.write(out, report=earlier == "with a page")
        with monkeypatch.context() as patched:
            kill_at(patched, step)
            try:
                result.write(out, overwrite=True, report=page)
                break
            except Killed:
                pass
        if (out / "summary.json").exists():  # whole: the earlier one, or the new one
            assert set(json.loads((out / "summary.json").read_text())["outputs"]) <= {path.name for path in out.iterdir()}
        with monkeypatch.context() as patched:
            patched.setattr(staging, "_runs", lambda pid: False)
            result.write(out, overwrite=True, report=page)
        assert {str(path.relative_to(out)) for path in out.rglob("*")} == expected, step
    assert step > 8


def contents_after(out: Path, result: ParticleResult, *, report: bool) -> list[str]:
    result.write(out, report=report)
    return [str(path.relative_to(out)) for path in out.rglob("*")]


def test_files_of_a_user_stay_where_a_killed_run_moved_none(
    tmp_path: Path, result: ParticleResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = tmp_path / "out" / "figures" / "distances.svg"
    figure.parent.mkdir(parents=True)
    with monkeypatch.context() as patched:
        kill_at(patched, 0)
        with pytest.raises(Killed):
            result.write(tmp_path / "out")
    figure.write_text("the user's")
    monkeypatch.setattr(staging, "_runs", lambda pid: False)
    with pytest.raises(InputError, match=r"distances\.svg: found a file that no earlier run of this command wrote"):
        result.write(tmp_path / "out", overwrite=True)
    assert figure.read_text() == "the user's"


def test_figures_are_not_written_through_a_link(tmp_path: Path, picks: Path, command: Command) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "figures").symlink_to(tmp_path / "elsewhere")
    ran = command(*PARTICLES, tmp_path / "out", picks)
    assert (ran.status, "out/figures: found a link, but a directory would be written there" in ran.err) == (2, True)
    assert not [*(tmp_path / "elsewhere").iterdir()]


def test_all_that_is_new_is_on_the_disk(tmp_path: Path, result: ParticleResult, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(output_directory, "make_lasting", synced.extend)
    out = tmp_path / "new" / "parent" / "out"
    result.write(out)
    assert {out, out / "figures", out.parent, out.parent.parent, tmp_path} <= set(synced)


def test_a_demo_that_was_stopped_says_so(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "make_session", interrupted)
    assert command("demo", "-o", tmp_path / "demo").status == 130
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["UNFINISHED.txt"]
