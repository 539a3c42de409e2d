"""The command line: what it prints, its exit statuses, and one line for each wrong input."""

from __future__ import annotations

import html
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import pytest

import cryodedup
from cases import Ran, cs, optics, records, star

Command = Callable[..., Ran]
COLUMNS = "CoordinateX CoordinateY MicrographName OpticsGroup AutopickFigureOfMerit"
GROUPS = optics((1, "opticsGroup1", 0.885))


@pytest.fixture
def relion(tmp_path: Path) -> Path:
    rows = [
        (100, 100, "MotionCorr/job002/a.mrc", 1, 0.1),
        (110, 100, "MotionCorr/job002/a.mrc", 1, 0.4),
        (110, 100, "MotionCorr/job002/b.mrc", 1, 0.2),
    ]
    return star(tmp_path / "relion.star", rows, COLUMNS, GROUPS)


@pytest.fixture
def sparc(tmp_path: Path) -> Path:
    return cs(tmp_path / "sparc.cs", records([(88.5, 88.5), (2000, 1000)], ncc_score=[0.2, 0.9]))


GOLDEN = """\
T/relion.star: 3 particles in 2 micrographs (RELION STAR)
    pixel size: 0.885 Å from rlnMicrographPixelSize (optics group 1)
    score: rlnAutopickFigureOfMerit, higher is better
    kept 2, rejected 1 → particles_kept.star
T/sparc.cs: 2 particles in 1 micrograph (CryoSPARC)
    pixel size: 1 Å from location/micrograph_psize_A
    score: pick_stats/ncc_score, higher is better
    kept 1, rejected 1 → particles_kept.cs
shifts: none; scores: ranks within each input
T/relion.star and T/sparc.cs agree: 2 of 2 (100 %) and 1 of 2 (50 %) have a match in the other, in 1 common micrograph
5 particles in 2 micrographs, within 20 Å: kept 3, rejected 2 (40.0 %)
too few neighbours, or particles in clusters: duplicates cannot be separated from neighbours, and no separation is suggested
note: matched by name: 1 micrograph, such as MotionCorr/job002/a.mrc of T/relion.star and J2/motioncorrected/000000000000000000007_a.mrc of T/sparc.cs
note: the 3 kept particles are in 2 files, each once: particles_kept.star (2), particles_kept.cs (1); continue with all of them, and use Join star files after extraction, or repeat with --write star
written: T/out/duplicates.csv
written: T/out/figures
written: T/out/particles_kept.cs
written: T/out/particles_kept.csg
written: T/out/particles_kept.star
written: T/out/particles_rejected.cs
written: T/out/particles_rejected.csg
written: T/out/particles_rejected.star
written: T/out/report.html
written: T/out/summary.json
"""


def test_what_is_printed(command: Command, relion: Path, sparc: Path, tmp_path: Path) -> None:
    ran = command("particles", relion, sparc, "-o", tmp_path / "out")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.replace(str(tmp_path), "T") == GOLDEN


def test_warnings_and_notes_are_printed(command: Command, relion: Path, tmp_path: Path) -> None:
    other = star(tmp_path / "other.star", [(0, 0, "a", 1, 0.5)] * 2, COLUMNS, optics((1, "opticsGroup1", 2.0)))
    ran = command("particles", relion, other, "-o", tmp_path / "out")
    assert (
        "warning: "
        + str(other)
        + ": score rlnAutopickFigureOfMerit is 0.5 for every particle that has one: all rank in the middle of their input\n"
        in ran.out
    )
    assert f"note: {other}: optics groups with equal numbers renumbered: 1 is now 2\n" in ran.out
    assert f"note: {relion}, {other}: written together, since their columns are equal, as particles_kept.star\n" in ran.out


def test_quiet_and_dry_run(command: Command, relion: Path, tmp_path: Path) -> None:
    ran = command("particles", relion, "-o", tmp_path / "out", "-q")
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    ran = command("particles", relion, "--dry-run")
    assert ran.status == 0
    assert "kept 2, rejected 1 (33.3 %)" in ran.out
    assert "written" not in ran.out
    ran = command("particles", relion, "--dry-run", "-o", tmp_path / "not")
    assert not (tmp_path / "not").exists()


@pytest.mark.parametrize("name", ["particles", "micrographs"])
def test_every_option_stands_in_a_group_of_the_help(command: Command, name: str) -> None:
    assert "─ Options ─" not in command(name, "--help").out


def test_version_and_help(command: Command) -> None:
    assert command("--version").out == f"cryodedup, version {cryodedup.__version__}\n"
    ran = command("particles", "--help")
    assert ran.status == 0
    options = "output min-separation pixel-size micrographs shift-key score-field score-order normalize-scores priority remove-entirely"
    for option in (options + " undo-symmetry-expansion seed threads overwrite dry-run quiet").split():
        assert f"--{option}"[:20] in ran.out


def bad(tmp_path: Path, relion: Path, sparc: Path) -> dict[str, tuple[list[object], str]]:
    out = ["-o", tmp_path / "out"]
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "summary.json").write_text("{}")
    (tmp_path / "text.star").write_text("no star\n")
    (tmp_path / "cut.cs").write_bytes(sparc.read_bytes()[:-3])
    np.save(tmp_path / "pickled.npy", np.array([None, 1], object), allow_pickle=True)
    no_shape = records([(1, 1)])
    no_shape["location/micrograph_shape"] = 0
    cs(tmp_path / "shape.cs", no_shape)
    cs(tmp_path / "bare.cs", np.zeros(1, [("uid", "<u8")]))
    star(tmp_path / "nan.star", [(0, 0, "m"), ("nan", 0, "m")])
    star(tmp_path / "short.star", [(0, 0, "m"), (0, 0)])
    star(tmp_path / "plain.star", [(0, 0, "m")])
    star(tmp_path / "two.star", [(0, 0, "d1/m.mrc"), (0, 0, "d2/m.mrc")])
    return {
        "missing file": ([tmp_path / "none.star", *out], "T/none.star: no such file or directory"),
        "not a STAR": (
            [tmp_path / "text.star", *out],
            "T/text.star: found 'no star' at its start, expected RELION or STOPGAP .star, CryoSPARC .cs",
        ),
        "truncated .cs": ([tmp_path / "cut.cs", *out], "T/cut.cs: found 1 whole records, expected 2 as its header says; is it truncated?"),
        "pickled .npy": (
            [tmp_path / "pickled.npy", *out],
            "T/pickled.npy: found pickled objects, expected plain records: such a file is not read, as it could run any program",
        ),
        "no location fields": (
            [tmp_path / "bare.cs", *out],
            "T/bare.cs: found no location fields (location/center_x_frac, location/center_y_frac, location/micrograph_shape), expected them here or in"
            " a dataset joined by uid; give the passthrough file as well, or only the .csg of the job (for tables: Dataset.innerjoin)",
        ),
        "unknown micrograph shape": (
            [tmp_path / "shape.cs", *out],
            "T/shape.cs, row 0: location/micrograph_shape: found 0x0, expected the micrograph's sides in pixels",
        ),
        "NaN coordinate": (
            [tmp_path / "nan.star", *out, "--pixel-size", "1"],
            "T/nan.star, line 10: found a centre at x nan y 0 Å, expected finite coordinates and shifts",
        ),
        "no pixel size anywhere": (
            [tmp_path / "plain.star", *out],
            "T/plain.star: found no micrograph pixel size; give --micrographs micrographs.star (or .cs), or --pixel-size",
        ),
        "score field absent": (
            [relion, *out, "--score-field", "rlnNone"],
            "T/relion.star: found no column rlnNone (--score-field), expected it in every input; columns, nearest names first: rln",
        ),
        "score field absent in one of several": (
            [sparc, relion, *out, "--score-field", "rlnOpticsGroup", "--score-order", "higher"],
            "T/sparc.cs: found no column rlnOpticsGroup (--score-field), expected it in every input; columns, nearest names first: ",
        ),
        "a name that fits two": (
            [tmp_path / "two.star", tmp_path / "plain.star", *out, "--pixel-size", "1"],
            "T/plain.star: micrograph m: found two candidates by name, d1/m.mrc of T/two.star and d2/m.mrc of T/two.star; expected one: give the inputs"
            " paths or uids that distinguish them",
        ),
        "output exists": (
            [relion, "-o", tmp_path / "old"],
            "T/old/summary.json: output exists; choose another --output, or add --overwrite",
        ),
        "output is a file": ([relion, "-o", relion], "T/relion.star: found a file, expected a new or an existing directory (--output)"),
        "too few cells": ([tmp_path / "short.star", *out], "T/short.star, line 10: found a row of 2 cells, expected 3"),
        "negative separation": (
            [relion, *out, "--min-separation", "-1"],
            "--min-separation: found -1.0, expected a number of Å, 0 or more",
        ),
        "separation that is no number": (
            [relion, *out, "--min-separation", "far"],
            "--min-separation: found 'far', expected a number of Å, such as 40",
        ),
        "no output": ([relion], "missing -o DIR, a directory for the results (or --dry-run)"),
        "the same input twice": (
            [relion, relion, *out],
            "T/relion.star: found twice among the inputs, expected once: every particle of it would be a duplicate",
        ),
        "shift absent": (
            [sparc, *out, "--shift-key", "alignments2D"],
            "T/sparc.cs: found no shifts, expected alignments2D (--shift-key) in every input",
        ),
        "micrographs that are none": (
            [relion, *out, "--micrographs", relion],
            "T/relion.star: --micrographs: found a list of particles, expected micrographs: a micrographs.star or micrographs_ctf.star",
        ),
        "unknown option": ([relion, *out, "--minimum", "3"], "No such option"),
    }


CASES = [
    "missing file",
    "not a STAR",
    "truncated .cs",
    "pickled .npy",
    "no location fields",
    "unknown micrograph shape",
    "NaN coordinate",
    "no pixel size anywhere",
    "score field absent",
    "score field absent in one of several",
    "a name that fits two",
    "output exists",
    "output is a file",
    "too few cells",
    "negative separation",
    "separation that is no number",
    "no output",
    "the same input twice",
    "shift absent",
    "micrographs that are none",
    "unknown option",
]


@pytest.mark.parametrize("case", CASES)
def test_wrong_input_is_one_line_and_status_2(command: Command, tmp_path: Path, relion: Path, sparc: Path, case: str) -> None:
    arguments, message = bad(tmp_path, relion, sparc)[case]
    ran = command("particles", *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.replace(str(tmp_path), "T").startswith(f"cryodedup: error: {message}")
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_column_missing_in_one_of_several_inputs(command: Command, tmp_path: Path, relion: Path) -> None:
    path = star(tmp_path / "x.star", [(0, "m")], "CoordinateX MicrographName")
    ran = command("particles", relion, path, "-o", tmp_path / "out")
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert "x.star: found no location columns in data_particles, expected rlnCoordinateX and rlnCoordinateY" in ran.err


def test_a_full_disk_is_status_1(command: Command, relion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr("cryodedup._core.split", full)
    ran = command("particles", relion, "-o", tmp_path / "out")
    assert (ran.status, ran.err) == (1, "cryodedup: error: somewhere: No space left on device\n")
    assert not (tmp_path / "out").exists()


def test_ctrl_c_is_status_130_and_leaves_nothing(command: Command, relion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        signal.raise_signal(signal.SIGINT)

    for step in ("scan_star", "deduplicate", "split", "write_listing"):
        with monkeypatch.context() as patch:
            patch.setattr(f"cryodedup._core.{step}", interrupted)
            ran = command("particles", relion, "-o", tmp_path / "out")
        assert (ran.status, ran.err.lstrip()) == (130, "cryodedup: error: interrupted\n")  # behind the ^C
        assert not (tmp_path / "out").exists()


def test_ctrl_c_ends_a_long_search() -> None:
    """In a process of its own, since a signal that comes too late would end the tests."""
    program = """
import os, signal, threading
import mrcfile
import numpy as np
from cryodedup import deduplicate
points = np.random.default_rng(1).random((6_000_000, 3)) * 4000
groups = np.arange(len(points)) // 300
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    deduplicate(points, groups, min_separation_a=500, threads=1)
    print("finished")
except KeyboardInterrupt:
    print("interrupted")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "interrupted\n"


def test_the_demo_finds_what_it_plants(command: Command, tmp_path: Path) -> None:
    ran = command("demo", "-o", tmp_path)
    assert ran.status == 0
    assert "planted: 3,880 duplicate picks of 2,400 particles" in ran.out
    assert "found:   3,880 of them (100.00 %); 23 other picks were rejected" in ran.out
    assert "found:   9 of them, with shifts correct to 0.2 px; 0 other pairs" in ran.out
    assert "planted: 1,658 particles that were picked twice and refined to one position\nfound:   1,658 of them; 0 others" in ran.out
    typed = [line.removeprefix("$ ") for line in ran.out.splitlines() if line.startswith("$ ")]
    for line, name in zip(typed, ("particles", "unique", "refined"), strict=True):
        assert html.escape(line) in (tmp_path / name / "report.html").read_text()
    assert command("demo", "-o", tmp_path).status == 2
    again = command("demo", "-o", tmp_path, "--overwrite")
    assert again.out == ran.out


def test_importing_the_command_line_stays_light() -> None:
    heavy = "import sys; import cryodedup.cli; print(*{'pandas', 'scipy', 'starfile', 'yaml', 'pydantic', 'matplotlib'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout.strip() == ""


def mistaken(tmp_path: Path, relion: Path) -> dict[str, tuple[list[object], str]]:
    """What people type by mistake, and what they should be told to do instead."""
    micrographs = star(tmp_path / "micrographs_ctf.star", [("a.mrc", 1), ("b.mrc", 1)], "MicrographName OpticsGroup", GROUPS, "micrographs")
    exposures = np.zeros(1, [("uid", "<u8"), ("micrograph_blob/path", "S9"), ("micrograph_blob/psize_A", "<f4")])
    (tmp_path / "job").mkdir()
    star(tmp_path / "job" / "autopick.star", [("a.mrc", "a.star")], "MicrographName MicrographCoordinates", block="coordinate_files")
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(np.zeros((4, 4), np.int8))
    (tmp_path / "empty.star").write_text("")
    (tmp_path / "lone.csg").write_text("results: {location: {metafile: '>gone.cs', num_items: 1, type: particle.location}}\n")
    out = ["-o", tmp_path / "out"]
    return {
        "micrographs as particles": (["particles", micrographs, *out], "T/micrographs_ctf.star: found a list of micrographs, expected particles; to compare these, use cryodedup micrographs"),
        "exposures as particles": (["particles", cs(tmp_path / "e.cs", exposures), *out], "T/e.cs: found a list of micrographs (exposures), expected particles; to compare these, use cryodedup micrographs"),
        "a job's folder": (["particles", tmp_path / "job", *out], "T/job: found autopick.star, expected a folder of picks; this is a job's folder: use T/job/autopick.star"),
        "particles as micrographs": (["particles", relion, "--micrographs", relion, *out], "T/relion.star: --micrographs: found a list of particles, expected micrographs"),
        "an image as picks": (["particles", tmp_path / "a.mrc", *out], "T/a.mrc: found an MRC image, expected picks or particles"),
        "an empty file": (["particles", tmp_path / "empty.star", *out], "T/empty.star: found an empty file, expected RELION or STOPGAP .star"),
        "a lone group": (["particles", tmp_path / "lone.csg", *out], "T/lone.csg: found no gone.cs beside it, although it refers to that file"),
        "a score by its short name": (["particles", relion, *out, "--score-field", "AutopickFigure"], "T/relion.star: found no column AutopickFigure (--score-field), expected it in every input; columns, nearest names first: rlnAutopickFigureOfMerit,"),
        "negative threads": (["particles", relion, *out, "-j", "-3"], "--threads: found -3, expected a whole number from 0 to 1024"),
        "two rules at once": (["particles", relion, *out, "--min-votes", "2", "--remove-entirely"], "--min-votes and --remove-entirely: found both, expected one"),
        "missing images": (["micrographs", micrographs, *out], "T/micrographs_ctf.star: 1 of 2 micrographs is missing: T/b.mrc; names are relative to T; run this in the RELION (or CryoSPARC) project directory"),
        "no command": ([tmp_path / "x.star"], "T/x.star: found a file in place of a command; did you mean: cryodedup particles T/x.star"),
        "no command, images": ([tmp_path / "job"], "T/job: found a file in place of a command; did you mean: cryodedup micrographs T/job"),
    }  # fmt: skip


MISTAKES = [
    "micrographs as particles",
    "exposures as particles",
    "a job's folder",
    "particles as micrographs",
    "an image as picks",
    "an empty file",
    "a lone group",
    "a score by its short name",
    "negative threads",
    "two rules at once",
    "missing images",
    "no command",
    "no command, images",
]


@pytest.mark.parametrize("case", MISTAKES)
def test_errors_say_what_to_do_instead(command: Command, tmp_path: Path, relion: Path, case: str) -> None:
    arguments, message = mistaken(tmp_path, relion)[case]
    ran = command(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.replace(str(tmp_path), "T").startswith(f"cryodedup: error: {message}")
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-m", "cryodedup", "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("cryodedup, version")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("particle", "particle: no such command; did you mean: cryodedup particles"),
        ("micrograph", "micrograph: no such command; did you mean: cryodedup micrographs"),
        ("zzz", "zzz: no such command; expected one of particles, micrographs, watch, apply, slurm, demo, completion"),
    ],
)
def test_a_mistyped_command_names_the_nearest(command: Callable[..., Ran], word: str, said: str) -> None:
    ran = command(word, "a.star")
    assert (ran.status, ran.err) == (2, f"cryodedup: error: {said}\n")


@pytest.mark.parametrize("given", ["40", "40\u00c5", "40 \u00c5", "40\u212b", "40A\u030a", "40A", " 40 A"])
def test_a_separation_may_have_its_unit(command: Callable[..., Ran], tmp_path: Path, given: str) -> None:
    path = star(tmp_path / "p.star", [(0, 0, "m"), (30, 0, "m"), (100, 0, "m")])
    assert "within 40 Å: kept 2" in command("particles", path, "--pixel-size", 1, "--min-separation", given, "--dry-run").out
    wrong = command("particles", path, "--pixel-size", 1, "--min-separation", "4 nm", "--dry-run")
    assert (wrong.status, wrong.err) == (2, "cryodedup: error: --min-separation: found '4 nm', expected a number of Å, such as 40\n")
