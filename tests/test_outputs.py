"""What is written, where, and that nothing is lost or half-written."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import starfile

from cases import Ran, cs, optics, records, star
from cryodedup import InputError, ParticleParams, ParticleResult, deduplicate_particles
from cryodedup.particles import listing as listings
from cryodedup.system.staging import staging_directory

COLUMNS = "CoordinateX CoordinateY MicrographName OpticsGroup AutopickFigureOfMerit"


def listing(path: Path) -> list[dict[str, str]]:
    with (path / "duplicates.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_listing(tmp_path: Path) -> None:
    one = star(
        tmp_path / "one.star",
        [(0, 0, '"a, b"', 1, 0.25), (10.5, -3, '"a, b"', 1, 0.5), (99, 0, '"a, b"', 1, 0.1)],
        COLUMNS,
        optics((1, "o", 2.0)),
    )
    deduplicate_particles(one, ParticleParams(min_separation_a=30)).write(tmp_path / "out")
    expected = {
        "source": str(one), "row": "0", "uid": "", "micrograph": "a, b", "x_a": "0.000", "y_a": "0.000", "score": "0.25",
        "kept_source": str(one), "kept_row": "1", "kept_uid": "", "distance_a": f"{2 * np.hypot(10.5, 3):.3f}",
    }  # fmt: skip
    assert listing(tmp_path / "out") == [expected]


def test_the_listing_across_inputs_with_uids_and_z(tmp_path: Path) -> None:
    first, second = records([(0, 0)], ncc_score=0.5), records([(1, 0)], ncc_score=0.9)
    second["uid"] = 2**63 + 5
    paths = [cs(tmp_path / "a.cs", first), cs(tmp_path / "b.cs", second)]
    deduplicate_particles(paths, ParticleParams(normalize_scores="none")).write(tmp_path / "out")
    (row,) = listing(tmp_path / "out")
    assert (row["source"], row["uid"], row["kept_source"], row["kept_row"], row["kept_uid"]) == (
        str(paths[0]),
        "1",
        str(paths[1]),
        "0",
        str(2**63 + 5),
    )
    deep = star(tmp_path / "p.star", [(0, 0, 1, "t"), (0, 0, 2.5, "t")], "CoordinateX CoordinateY CoordinateZ TomoName")
    deduplicate_particles(deep, ParticleParams(pixel_size_a=2)).write(tmp_path / "deep")
    (row,) = listing(tmp_path / "deep")
    assert (row["z_a"], row["distance_a"], row["score"]) == ("5.000", "3.000", "")


def test_removed_entirely_names_no_kept_one(tmp_path: Path) -> None:
    path = star(tmp_path / "p.star", [(0, 0, "m"), (1, 0, "m")])
    deduplicate_particles(path, ParticleParams(pixel_size_a=1, remove_entirely=True)).write(tmp_path / "out")
    assert [(row["kept_source"], row["kept_row"], row["distance_a"]) for row in listing(tmp_path / "out")] == [("", "", "1.000")] * 2


def test_star_files_of_equal_columns_are_joined_and_optics_groups_renumbered(tmp_path: Path) -> None:
    groups = [optics((1, "opticsGroup1", 1.0), (2, "opticsGroup2", 1.5)), optics((1, "opticsGroup1", 2.0), (2, "opticsGroup2", 1.5))]
    first = star(tmp_path / "a.star", [(0, 0, "m", 1, 1), (500, 0, "m", 2, 1)], COLUMNS, groups[0])
    second = star(tmp_path / "b.star", [(1, 0, "m", 1, 2), (900, 0, "m", 1, 2), (700, 0, "m", 2, 2)], COLUMNS, groups[1])
    result = deduplicate_particles([first, second], ParticleParams(normalize_scores="none"))
    assert result.kept.tolist() == [False, True, True, True, True]
    result.write(tmp_path / "out")
    kept = starfile.read(tmp_path / "out" / "particles_kept.star")
    assert kept["optics"]["rlnOpticsGroup"].tolist() == [1, 2, 3]
    assert kept["optics"]["rlnMicrographPixelSize"].tolist() == [1.0, 1.5, 2.0]
    assert kept["optics"]["rlnOpticsGroupName"].tolist() == ["opticsGroup1", "opticsGroup2", "opticsGroup1_2"]
    assert kept["particles"]["rlnOpticsGroup"].tolist() == [2, 3, 3, 2]
    assert kept["particles"]["rlnCoordinateX"].tolist() == [500, 1, 900, 700]
    assert any(
        "optics groups with equal numbers renumbered: 1 is now 3" in note
        for note in json.loads((tmp_path / "out" / "summary.json").read_text())["notes"]
    )
    again = deduplicate_particles(tmp_path / "out" / "particles_kept.star")
    np.testing.assert_allclose(again.coordinates_a, result.coordinates_a[result.kept])
    assert len(deduplicate_particles(tmp_path / "out" / "particles_rejected.star").kept) == 1


def test_optics_groups_written_with_decimals_are_the_same(tmp_path: Path) -> None:
    groups = [optics((1, "a", 1.0)), optics(("1.000000", "b", 2.0))]
    first = star(tmp_path / "a.star", [(0, 0, "m", "1.000000", 1)], COLUMNS, groups[0])
    second = star(tmp_path / "b.star", [(90, 0, "m", 1, 2), (450, 0, "m", "1.0", 2)], COLUMNS, groups[1])
    result = deduplicate_particles([first, second])
    np.testing.assert_allclose(result.coordinates_a[:, 0], [0, 180, 900])
    result.write(tmp_path / "out")
    assert starfile.read(tmp_path / "out" / "particles_kept.star")["particles"]["rlnOpticsGroup"].tolist() == [1, 2, 2]


def test_bodies_are_chosen_with_their_particles(tmp_path: Path) -> None:
    """As RELION's multi-body refinement writes them, behind the particles and in their order."""
    path = star(tmp_path / "run_data.star", [(0, 0, "m", 1, 1), (1, 0, "m", 1, 2), (90, 0, "m", 1, 3)], COLUMNS, optics((1, "o", 1.0)))
    body = "# version 30001\n\ndata_images_body_{n}\n\nloop_\n_rlnOriginXAngst #1\n_rlnAngleRot #2\n{n}.5 10\n{n}.6 20\n{n}.7 30\n\n"
    path.write_text(path.read_text() + body.format(n=1) + body.format(n=2))
    result = deduplicate_particles(path)
    assert result.kept.tolist() == [False, True, True]
    result.write(tmp_path / "out")
    for word, rows in (("kept", [1, 2]), ("rejected", [0])):
        written, before = (starfile.read(file) for file in (tmp_path / "out" / f"particles_{word}.star", path))
        for block in ("particles", "images_body_1", "images_body_2"):
            np.testing.assert_array_equal(np.atleast_2d(written[block].values), before[block].values[rows])
    np.testing.assert_array_equal(result.kept_table()["images_body_2"]["rlnAngleRot"], [20, 30])
    result.write(tmp_path / "merged", as_star=True)
    notes = json.loads((tmp_path / "merged" / "summary.json").read_text())["notes"]
    assert f"{path}: what was found of its bodies is in particles_kept.star, not in merged_kept.star" in notes
    table = deduplicate_particles(starfile.read(path))
    np.testing.assert_array_equal(table.kept_table()["images_body_2"]["rlnAngleRot"], [20, 30])
    path.write_text(path.read_text().replace("2.7 30\n", ""))
    with pytest.raises(InputError, match="data_images_body_2: found 2 rows, expected 3, one for each particle of data_particles"):
        deduplicate_particles(path)


def test_joined_files_without_a_last_newline(tmp_path: Path) -> None:
    paths = []
    for name, x in (("a", 0), ("b", 100)):
        path = star(tmp_path / f"{name}.star", [(x, 0, "m")])
        path.write_text(path.read_text().rstrip())
        paths.append(path)
    deduplicate_particles(paths, ParticleParams(pixel_size_a=1)).write(tmp_path / "out")
    assert starfile.read(tmp_path / "out" / "particles_kept.star")["rlnCoordinateX"].tolist() == [0, 100]


def test_files_of_other_columns_get_a_pair_each(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    first = star(tmp_path / "p.star", [(0, 0, "m")])
    second = star(tmp_path / "x" / "p.star", [(1, 0, "m", 5)], "CoordinateX CoordinateY MicrographName ClassNumber")
    result = deduplicate_particles([first, second], ParticleParams(pixel_size_a=1))
    result.write(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").glob("*.star")} == {
        f"p{n}_{word}.star" for n in ("", "-2") for word in ("kept", "rejected")
    }
    assert (tmp_path / "out" / "p_kept.star").read_bytes() == first.read_bytes()
    assert (tmp_path / "out" / "p-2_rejected.star").read_bytes() == second.read_bytes()


def test_the_summary(tmp_path: Path) -> None:
    path = star(tmp_path / "p.star", [(0, 0, "m", 1, 1), (1, 0, "m", 1, 2)], COLUMNS, optics((1, "o", 1.0)))
    result = deduplicate_particles(path)
    written = result.write(tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["schema"] == "cryodedup.particles/1"
    assert (summary["particles"], summary["kept"], summary["rejected"], summary["micrographs"]) == (2, 1, 1, 1)
    assert summary["parameters"]["min_separation_a"] == 20
    assert summary["sources"][0] == {
        "input": str(path), "format": "RELION STAR", "particles": 2, "kept": 1, "rejected": 1, "micrographs": 1,
        "written_to": "particles_kept.star",
        "pixel_sizes": [{"of": "optics group 1", "pixel_size_a": 1.0, "found_in": "rlnMicrographPixelSize"}],
        "score": {"field": "rlnAutopickFigureOfMerit", "order": "higher", "missing": 0, "constant": False},
    }  # fmt: skip
    assert {name.split("/")[0] for name in summary["outputs"]} == {file.name for file in written} - {"report.html", "figures"}
    assert set(summary["times_s"]) == {"reading", "searching", "writing"}


def test_a_summary_is_the_same_without_a_page(tmp_path: Path) -> None:
    path = star(tmp_path / "p.star", [(0, 0, "m", 1, 1), (1, 0, "m", 1, 2)], COLUMNS, optics((1, "o", 1.0)))
    result = deduplicate_particles(path)
    summaries = []
    for report in (True, False):
        result.write(tmp_path / "out", report=report, overwrite=True)
        summaries.append({**json.loads((tmp_path / "out" / "summary.json").read_text()), "times_s": None})
        assert (tmp_path / "out" / "report.html").exists() == (tmp_path / "out" / "figures").exists() == report
    assert summaries[0] == summaries[1]


def test_figures_of_others_stay(tmp_path: Path) -> None:
    result = deduplicate_particles(star(tmp_path / "p.star", [(0, 0, "m"), (1, 0, "m")]), ParticleParams(pixel_size_a=1))
    result.write(tmp_path / "out")
    (tmp_path / "out" / "figures" / "mine.png").write_text("")
    result.write(tmp_path / "out", report=False, overwrite=True)
    assert [path.name for path in (tmp_path / "out" / "figures").iterdir()] == ["mine.png"]


def test_results_are_frozen(result: ParticleResult) -> None:
    for name in ("kept", "warnings", "selection", "times_s"):
        with pytest.raises(AttributeError):
            setattr(result, name, None)


@pytest.fixture
def result(tmp_path: Path) -> ParticleResult:
    return deduplicate_particles(star(tmp_path / "p.star", [(0, 0, "m"), (1, 0, "m")]), ParticleParams(pixel_size_a=1))


def test_an_earlier_result_is_refused_or_replaced_whole(tmp_path: Path, result: ParticleResult) -> None:
    out = tmp_path / "out"
    array = records([(0, 0)])
    deduplicate_particles(cs(tmp_path / "c.cs", array)).write(out)
    (out / "mine_kept.star").write_text("notes of my own")
    with pytest.raises(InputError, match="output exists; choose another directory, or add overwrite=True"):
        result.write(out)
    assert (out / "particles_kept.cs").exists()
    result.write(out, overwrite=True)
    assert {path.name for path in out.iterdir()} == {
        "figures",
        "report.html",
        "particles_kept.star",
        "particles_rejected.star",
        "duplicates.csv",
        "summary.json",
        "mine_kept.star",
    }


def test_an_input_is_never_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    path = star(out / "particles_kept.star", [(0, 0, "m"), (1, 0, "m")])
    before = path.read_bytes()
    result = deduplicate_particles(path, ParticleParams(pixel_size_a=1))
    for overwrite in (False, True):
        with pytest.raises(InputError, match=r"particles_kept\.star: found an input, which an output would replace"):
            result.write(out, overwrite=overwrite)
    assert [entry.name for entry in out.iterdir()] == ["particles_kept.star"]
    assert path.read_bytes() == before


@pytest.mark.parametrize("change", [b"", b" 1", b" 12345678901"])
def test_an_input_that_was_changed_is_not_written(tmp_path: Path, change: bytes) -> None:
    for path in (star(tmp_path / "p.star", [(0, 0, "m"), (1, 0, "m")]), cs(tmp_path / "p.cs", records([(0, 0), (1, 0)]))):
        result = deduplicate_particles(path, ParticleParams(pixel_size_a=1))
        content = path.read_bytes()
        path.write_bytes(content[: -len(change)] + change[::-1] if len(change) < 3 else content + change)
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000_000))
        with pytest.raises(
            InputError, match=rf"{path}: found that it was changed after it had been read, expected it unchanged; run again"
        ):
            result.write(tmp_path / "out")
        assert not (tmp_path / "out").exists()


def _contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def _without_times(contents: dict[str, bytes]) -> dict[str, bytes]:
    return {name: re.sub(rb'"times_s": {[^}]*}', b"", content) for name, content in contents.items() if name != "report.html"}


def _renames(first: int, count: int, instead: Callable[[Path], None]) -> Callable[[Path, Path], Path]:
    """Path.rename, of which the calls from ``first`` on, ``count`` of them, do something else."""
    rename, calls = Path.rename, 0

    def do(path: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if first < calls <= first + count:
            instead(path)
        return rename(path, target)

    return do


def _fail(path: Path) -> None:
    raise OSError(errno.EIO, "Input/output error", str(path))


@pytest.fixture
def replaced(tmp_path: Path, result: ParticleResult) -> Path:
    """A result that ``result`` is to replace: of a dataset, with a page."""
    deduplicate_particles(cs(tmp_path / "c.cs", records([(0, 0), (1, 0)]))).write(tmp_path / "out")
    return tmp_path / "out"


def test_moves_that_fail_are_undone(replaced: Path, result: ParticleResult, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _contents(replaced)
    for first in range(100):
        try:
            with monkeypatch.context() as patch:
                patch.setattr(Path, "rename", _renames(first, 1, _fail))
                result.write(replaced, overwrite=True)
        except OSError:
            assert _contents(replaced) == before
        else:
            break
    assert first > 8
    assert not [path for path in replaced.iterdir() if path.name.startswith(".")]
    assert (replaced / "particles_kept.star").exists()
    assert not (replaced / "particles_kept.cs").exists()


def test_an_earlier_result_that_cannot_be_put_back_is_told_of(
    replaced: Path, result: ParticleResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _contents(replaced)
    monkeypatch.setattr(Path, "rename", _renames(12, 99, _fail))
    with pytest.raises(OSError, match=r"Input/output error; the earlier result could not be put back: it is in (.*/\.cryodedup-.*/\.old)"):
        result.write(replaced, overwrite=True)
    now = _contents(replaced)
    set_aside = {name.split(".old/")[-1]: content for name, content in now.items() if ".old/" in name}
    assert {name: set_aside.get(name, now.get(name)) for name in before} == before


def test_a_summary_stands_beside_whole_results_only(tmp_path: Path, replaced: Path, result: ParticleResult) -> None:
    """The process is killed before each of the moves."""
    result.write(tmp_path / "whole")
    whole = _without_times(_contents(tmp_path / "whole"))
    shutil.copytree(replaced, tmp_path / "earlier")
    earlier = _contents(replaced)
    for first in range(100):
        shutil.rmtree(replaced)
        shutil.copytree(tmp_path / "earlier", replaced)
        child = os.fork()
        if child == 0:
            Path.rename = _renames(first, 1, lambda path: os.kill(os.getpid(), signal.SIGKILL))  # type: ignore[method-assign]
            result.write(replaced, overwrite=True)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        now = {name: content for name, content in _contents(replaced).items() if not name.startswith(".")}
        assert "summary.json" not in now or now == earlier or _without_times(now) == whole
        if status == 0:
            break
        # It is no result for a run that may not replace one, and nothing of it is left by a run that may.
        with pytest.raises(InputError, match=r"output exists|found a result that was being replaced when a run was killed"):
            result.write(replaced)
        result.write(replaced, overwrite=True)
        assert _without_times(_contents(replaced)) == whole
    assert first > 8


def test_only_what_dead_runs_left_is_removed(tmp_path: Path, result: ParticleResult) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with staging_directory(out) as own:
        place, _, number = own.name.removeprefix(".cryodedup-").rsplit("-", 2)
        dead = subprocess.Popen(["true"])
        dead.wait()
        for name, silent_s in (
            (f"{place}-{os.getppid()}-{number}", 7200),  # it runs, whatever the clock says
            (f"{place}-{dead.pid}-{number}", 0),
            (f"elsewhere-{os.getpid()}-{number}", 600),
            (f"elsewhere-{os.getpid()}-abc", 7200),
            ("notes", 7200),
        ):
            (out / f".cryodedup-{name}").mkdir()
            (out / f".cryodedup-{name}" / "particles_kept.star").write_text("rows")
            os.utime(out / f".cryodedup-{name}", (time.time() - silent_s,) * 2)
        result.write(out)
        left = {path.name for path in out.iterdir() if path.name.startswith(".")}
        expected = {f"{place}-{os.getppid()}-{number}", f"elsewhere-{os.getpid()}-{number}", "notes"}
        assert left == {own.name, *(f".cryodedup-{name}" for name in expected)}
    assert not own.exists()


def test_the_current_directory_can_be_the_output(tmp_path: Path, result: ParticleResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert result.write(".")
    assert (tmp_path / "summary.json").exists()
    with pytest.raises(InputError, match="found an empty path as directory, expected a directory"):
        result.write("")


def test_a_failure_leaves_nothing(tmp_path: Path, result: ParticleResult, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(listings._core, "write_listing", interrupted)
    with pytest.raises(KeyboardInterrupt):
        result.write(tmp_path / "new" / "out")
    assert not (tmp_path / "new" / "out").exists()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "mine.txt").write_text("mine")
    with pytest.raises(KeyboardInterrupt):
        result.write(tmp_path / "old")
    assert [entry.name for entry in (tmp_path / "old").iterdir()] == ["mine.txt"]


def test_a_file_is_no_output_directory(tmp_path: Path, result: ParticleResult) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: found a file, expected a new or an existing directory"):
        result.write(tmp_path / "file")


def test_no_particles_at_all(tmp_path: Path) -> None:
    for path in (star(tmp_path / "p.star", []), cs(tmp_path / "p.cs", records([]))):
        result = deduplicate_particles(path, ParticleParams(pixel_size_a=1))
        assert len(result.kept) == 0
        result.write(tmp_path / f"out{path.suffix}")
        assert (tmp_path / f"out{path.suffix}" / f"particles_kept{path.suffix}").read_bytes() == path.read_bytes()


def test_an_input_among_earlier_outputs_is_never_removed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "boxes").mkdir()
    (tmp_path / "boxes" / "a.box").write_text("1 1 2 2\n")
    params = ParticleParams(pixel_size_a=1)
    deduplicate_particles(tmp_path / "boxes", params).write(out)
    other = deduplicate_particles(out / "boxes_kept", params)
    other.write(out, overwrite=True)
    assert (out / "boxes_kept" / "a.box").read_text() == "1 1 2 2\n"
    listed = star(out / "particles_kept.star", [("m", 1)], "MicrographName OpticsGroup", optics((1, "o", 0.5)), "micrographs")
    result = deduplicate_particles(star(tmp_path / "p.star", [(0, 0, "m")]), ParticleParams(micrographs=listed))
    with pytest.raises(InputError, match=r"particles_kept\.star: found an input"):
        result.write(out, overwrite=True)


def test_names_of_outputs_never_meet(tmp_path: Path) -> None:
    paths = []
    for name in ("s1", "s2"):
        (tmp_path / name / "raw").mkdir(parents=True)
        path = tmp_path / name / "raw" / "m_autopick.star"
        path.write_text(f"data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n{name[1]} 0\n")
        paths.append(path)
    rows = "".join(f"{path.parts[-3]}/m.mrc {path}\n" for path in paths)
    index = tmp_path / "particles.star"
    index.write_text(f"data_coordinate_files\nloop_\n_rlnMicrographName\n_rlnMicrographCoordinates\n{rows}")
    result = deduplicate_particles([index, star(tmp_path / "p.star", [(5, 0, "other.mrc")])], ParticleParams(pixel_size_a=1))
    result.write(tmp_path / "out")
    written_to = [source["written_to"] for source in json.loads((tmp_path / "out" / "summary.json").read_text())["sources"]]
    again = deduplicate_particles(
        [tmp_path / "out" / name for name in written_to if name.endswith(".star")], ParticleParams(pixel_size_a=1)
    )
    assert len(again.kept) == 1
    again = deduplicate_particles(tmp_path / "out" / written_to[0].replace("/", ".star"), ParticleParams(pixel_size_a=1))
    assert sorted(again.coordinates_a[:, 0]) == [1, 2]


def test_odd_names_of_optics_groups_survive_joining(tmp_path: Path) -> None:
    first = star(tmp_path / "a.star", [(0, 0, "m", 1, 1)], COLUMNS, optics((1, "o", 1.0)))
    second = star(tmp_path / "b.star", [(99, 0, "m", 1, 1)], COLUMNS, optics((1, "'a\" b'", 2.0)))
    deduplicate_particles([first, second]).write(tmp_path / "out")
    again = deduplicate_particles(tmp_path / "out" / "particles_kept.star")
    np.testing.assert_allclose(again.coordinates_a[:, 0], [0, 198])


def test_all_files_are_on_the_disk_before_any_is_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure of the power then leaves a whole result, or one without a summary."""
    steps: list[tuple[str, str]] = []
    fsync, rename = os.fsync, Path.rename

    def synced(handle: int) -> None:
        steps.append(("on the disk", Path(f"/proc/self/fd/{handle}").readlink().name))
        fsync(handle)

    def renamed(path: Path, target: Path) -> Path:
        steps.append(("in place", path.name))
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    result = deduplicate_particles(star(tmp_path / "one.star", [(0, 0, "a", 1, 0.25), (1, 0, "a", 1, 0.5)], COLUMNS, optics((1, "o", 1.0))))
    result.write(tmp_path / "out")
    moved = [name for step, name in steps if step == "in place" and name != ".old"]
    first = steps.index(("in place", moved[0]))
    assert {name for step, name in steps[:first]} >= set(moved) - {"figures"}
    assert moved[-1] == "summary.json"
    assert ("on the disk", "figures") in steps[: steps.index(("in place", "summary.json"))]
    assert {("on the disk", "out"), ("on the disk", tmp_path.name)} <= set(steps[steps.index(("in place", "summary.json")) :])


def test_a_file_server_that_refuses_what_was_written_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = star(tmp_path / "one.star", [(0, 0, "a", 1, 0.25), (1, 0, "a", 1, 0.5)], COLUMNS, optics((1, "o", 1.0)))
    deduplicate_particles(path).write(tmp_path / "out")
    before = {name: (tmp_path / "out" / name).read_bytes() for name in ("summary.json", "duplicates.csv", "particles_kept.star")}
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as raised:
        deduplicate_particles(path).write(tmp_path / "out", overwrite=True)
    assert Path(raised.value.filename).parent == tmp_path / "out"
    assert {name: (tmp_path / "out" / name).read_bytes() for name in before} == before


def three_pickers(folder: Path, name: str = "MotionCorr/job002/m.mrc") -> list[Path]:
    """RELION's particles (1 Å a pixel), CryoSPARC's (2 Å), and Topaz's picks, in pixels of 4 Å: each finds one alone."""
    relion = star(folder / "relion.star", [(100, 200, name, 1, 0.9), (1000, 1000, name, 1, 0.2)], COLUMNS, optics((1, "o", 1.0)))
    sparc = records([(50.5, 100), (2000, 1500)], ncc_score=[0.1, 0.3])
    sparc["location/micrograph_path"], sparc["location/micrograph_psize_A"] = b"J2/motioncorrected/m.mrc", 2.0
    topaz = folder / "topaz.txt"
    topaz.write_text("image_name\tx_coord\ty_coord\tscore\nm\t25\t50\t-1.5\nm\t700\t800\t3\n")
    return [relion, cs(folder / "sparc.cs", sparc), topaz]


def test_one_table_and_one_index_of_all_kept_particles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Ran]
) -> None:
    """Coordinates are in pixels of the micrograph as RELION names it; scores are those that decided; both are read back to the same places."""
    monkeypatch.chdir(tmp_path)
    paths = [path.relative_to(tmp_path) for path in three_pickers(tmp_path)]
    arguments = ("particles", *paths, "--pixel-size", "topaz.txt=4", "-o", "out")
    apart = command(*arguments, "--no-report")
    said = (
        "the 4 kept particles are in 3 files, each once: particles_kept.star (2), particles_kept.cs (1), topaz_kept.txt (1); continue with"
    )
    assert f"note: {said} all of them, and use Join star files after extraction, or repeat with --write star" in apart.out
    ran = command(*arguments, "--overwrite", "--write", "star")
    said = (
        "all 4 kept particles are in merged_kept.star; for one Extract job of RELION, give coordinates_kept.star as its input coordinates"
    )
    assert f"note: {said}" in ran.out
    page = (tmp_path / "out" / "report.html").read_text("utf-8").replace("\u00a0", " ")
    assert f"A{said[1:]}." in page
    assert "to the next job as its input" not in page

    blocks = starfile.read(tmp_path / "out" / "merged_kept.star")
    assert blocks["optics"].to_dict("records") == [
        {"rlnOpticsGroupName": "opticsGroup1", "rlnOpticsGroup": 1, "rlnMicrographPixelSize": 1.0}
    ]
    table = blocks["particles"]
    assert table.rlnMicrographName.unique().tolist() == ["MotionCorr/job002/m.mrc"]
    assert table[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy().tolist() == [[100, 200], [1000, 1000], [4000, 3000], [2800, 3200]]
    assert table.rlnAutopickFigureOfMerit.tolist() == [0.75, 0.25, 0.75, 0.75]
    assert list(zip(table.cryodedupSource, table.cryodedupRow, strict=True)) == [
        ("relion.star", 0), ("relion.star", 1), ("sparc.cs", 1), ("topaz.txt", 1),
    ]  # fmt: skip
    index = starfile.read(tmp_path / "out" / "coordinates_kept.star", always_dict=True)["coordinate_files"]
    assert index.to_dict("records") == [
        {"rlnMicrographName": "MotionCorr/job002/m.mrc", "rlnMicrographCoordinates": "out/coordinates_kept/m_picks.star"}
    ]
    again = [
        deduplicate_particles(tmp_path / "out" / "merged_kept.star"),
        deduplicate_particles(tmp_path / "out" / "coordinates_kept.star", pixel_size_a=1.0),
    ]
    for read in again:
        assert read.kept.all()
        assert read.coordinates_a.tolist() == [[100, 200], [1000, 1000], [4000, 3000], [2800, 3200]]
        assert [m.name for m in read.joined.picks[0].micrographs] == ["MotionCorr/job002/m.mrc"]
    assert command("particles", *paths, "--pixel-size", "topaz.txt=4", "-o", "out", "--overwrite").status == 0
    assert not list((tmp_path / "out").glob("*merged*"))
    assert not (tmp_path / "out" / "coordinates_kept").exists()


def test_a_table_of_all_needs_relions_names_of_micrographs(tmp_path: Path, command: Callable[..., Ran]) -> None:
    relion, sparc, topaz = three_pickers(tmp_path)
    others = ("particles", sparc, topaz, "--pixel-size", "topaz.txt=4", "--write", "star", "-o", tmp_path / "out")
    refused = command(*others)
    assert refused.status == 2
    assert "--write star: found no RELION name for 1 micrograph, such as J2/motioncorrected/m.mrc of" in refused.err
    assert "expected the names that the RELION project uses; give --micrographs micrographs.star" in refused.err
    assert not (tmp_path / "out").exists()
    named = star(
        tmp_path / "micrographs.star",
        [("CtfFind/job003/m.mrc", 1.0, 0)],
        "MicrographName MicrographPixelSize CtfFigureOfMerit",
        block="micrographs",
    )
    ran = command("particles", topaz, "--micrographs", named, "--write", "star", "-o", tmp_path / "out")
    assert ran.status == 0, ran.err
    table = starfile.read(tmp_path / "out" / "merged_kept.star")["particles"]
    assert table.rlnMicrographName.tolist() == ["CtfFind/job003/m.mrc"] * 2
    assert table.rlnCoordinateX.tolist() == [25, 700]
    assert relion.exists()


MIC = "MotionCorr/job002/m.mrc"


def test_what_one_table_cannot_hold_is_refused(tmp_path: Path) -> None:
    deep = star(tmp_path / "deep.star", [("t", 1, 2, 3)], "TomoName CoordinateX CoordinateY CoordinateZ")
    halves = star(tmp_path / "h.star", [(0, 0, "a/m.mrc", 1), (1, 0, "a/m.mrc", 2)], "CoordinateX CoordinateY MicrographName RandomSubset")
    expanded = deduplicate_particles(halves, undo_symmetry_expansion=True)
    groups = optics((1, "one", 1.0), (2, "two", 2.0))
    binned = star(tmp_path / "b.star", [(100, 9, MIC, 1), (400, 9, MIC, 2)], "CoordinateX CoordinateY MicrographName OpticsGroup", groups)
    again = star(tmp_path / "c.star", [(100, 9, MIC)], "CoordinateX CoordinateY MicrographName", optics((1, "one", 2.0)))
    single = star(tmp_path / "d.star", [(400, 9, MIC)], "CoordinateX CoordinateY MicrographName", optics((1, "one", 1.0)))
    two_sizes = f"as_star=True: {MIC}: found coordinates in pixels of 1 and of 2 Å, expected the pixel size of the micrograph"
    for result, message in (
        (deduplicate_particles(binned), two_sizes),
        (deduplicate_particles([single, again]), two_sizes),
        (deduplicate_particles(deep, pixel_size_a=1.0), "as_star=True: found particles in tomograms, expected particles in micrographs"),
        (deduplicate_particles(halves, pixel_size_a=1.0, half_sets="repair"), 'as_star=True: found half_sets="repair"'),
        (expanded, "as_star=True: found no pixel size of the micrographs"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            result.write(tmp_path / "out", as_star=True)
        assert not (tmp_path / "out").exists()
