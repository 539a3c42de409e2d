"""Files of picks of several pickers, and which micrographs of different inputs are the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cases import Ran, cs, needs_shared, records, star
from cryodedup import InputError, ParticleParams, ParticleResult, deduplicate_particles
from cryodedup.particles.inputs.identity import unify
from cryodedup.particles.inputs.micrograph_names import Name
from cryodedup.particles.inputs.picks import Micrograph

Command = Callable[..., Ran]
CBOX = (
    "data_global\n\n_cbox_format_version 1.0\n\ndata_cryolo\n\nloop_\n_CoordinateX #1\n_CoordinateY #2\n_CoordinateZ #3\n_Width #4\n_Height #5\n"
    "_Depth #6\n_Confidence #7\n"
)


def run(paths: Path | list[Path], **params: object) -> ParticleResult:
    return deduplicate_particles(paths, ParticleParams(**{"pixel_size_a": 1.0, **params}))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_boxes_have_corners(tmp_path: Path) -> None:
    path = write(tmp_path / "a.box", "10 20 100 60\n-50\t0\t100\t100\n")
    result = run(path)
    np.testing.assert_allclose(result.coordinates_a, [[60, 50], [0, 50]])
    result.write(tmp_path / "out")
    assert (tmp_path / "out" / "a_kept.box").read_bytes() == path.read_bytes()
    assert (tmp_path / "out" / "a_rejected.box").read_bytes() == b""


def test_the_fifth_column_of_a_box_is_a_score(tmp_path: Path) -> None:
    path = write(tmp_path / "a.box", "0 0 10 10 0.1\n1 0 10 10 0.7\n")
    assert run(path).kept.tolist() == [False, True]


def test_cbox_has_corners_and_confidence(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.cbox",
        CBOX + "10 20 <NA> 100 60 <NA> 0.3\n11 20 <NA> 100 60 <NA> 0.9\n\ndata_cryolo_include\n\nloop_\n_slice_index #1\n0\n",
    )
    result = run(path)
    np.testing.assert_allclose(result.coordinates_a, [[60, 50], [61, 50]])
    assert result.kept.tolist() == [False, True]
    result.write(tmp_path / "out")
    assert (tmp_path / "out" / "a_kept.cbox").read_text() == path.read_text().replace("10 20 <NA> 100 60 <NA> 0.3\n", "")


def test_low_scores_are_dropped_first(command: Command, tmp_path: Path) -> None:
    """What is below the limit is no duplicate, and nothing is a duplicate of it, nor found by it."""
    rows = "10 20 <NA> 100 60 <NA> 0.2\n11 20 <NA> 100 60 <NA> 0.9\n400 20 <NA> 100 60 <NA> 0.1\n400 24 <NA> 100 60 <NA> 0.2\n"
    path = write(tmp_path / "a.cbox", CBOX + rows)
    assert any("3 of 4 picks of crYOLO have a confidence below 0.3, its usual threshold" in w for w in run(path).warnings)
    result = run(path, min_score=0.3)
    assert not any("crYOLO" in warning for warning in result.warnings)
    assert result.kept.tolist() == [False, True, False, False]
    assert result.duplicate_of.tolist() == [0, 2, 3]
    assert np.isnan(result.distances_a).all()
    ran = command("particles", path, "--min-score", 0.3, "--pixel-size", 1, "-o", tmp_path / "out")
    assert "kept 1, rejected 3 (75.0 %), 3 of them for a score below the minimum" in ran.out
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["rejected"], summary["duplicates"], summary["below_min_score"]) == (3, 0, 3)
    assert (tmp_path / "out" / "duplicates.csv").read_text().splitlines()[1].endswith(",0.2,,,,")
    assert (tmp_path / "out" / "a_rejected.cbox").read_text() == CBOX + rows.replace("11 20 <NA> 100 60 <NA> 0.9\n", "")


def test_minimum_scores_of_each_input(tmp_path: Path) -> None:
    boxes = write(tmp_path / "picks" / "a.box", "0 0 10 10 0.1\n50 0 10 10 0.7\n")
    topaz = write(tmp_path / "t.txt", "image_name\tx_coord\ty_coord\tscore\na\t5\t5\t-3\na\t56\t5\t0.05\n")
    both = [boxes, topaz]
    assert run(both, min_score={"t": -1.0}).kept.tolist() == [True, True, False, False]  # ranks of those that remain
    result = run(both, min_score=0.3)
    assert result.kept.tolist() == [False, True, False, False]
    assert result.analysis.overlaps.tolist() == [[0, 0], [0, 0]]
    assert result.analysis.found_by == {(0,): 1}
    assert run(both, min_score=0.05, remove_entirely=True).kept.tolist() == [True, False, False, False]
    plain = write(tmp_path / "b.box", "0 0 10 10\n")
    assert "min_score=0.3 not used: it has no score" in run(plain, min_score=0.3).warnings[0]
    with pytest.raises(InputError, match=r'min_score=."u": 1.: found no such input'):
        run(both, min_score={"u": 1.0})
    for params in ({"score_field": "none"}, {"half_sets": "repair"}):
        with pytest.raises(InputError, match="min_score"):
            run(both, min_score=1.0, **params)
    table = star(tmp_path / "p.star", [(1, 2, "m", 8)], "CoordinateX CoordinateY MicrographName CtfMaxResolution")
    with pytest.raises(InputError, match="found rlnCtfMaxResolution, where lower is better"):
        run(table, min_score=1.0, score_field="rlnCtfMaxResolution")


@needs_shared
def test_real_picks_below_the_threshold_of_cryolo(real: Path) -> None:
    files = sorted((real / "boxmanager").glob("TcdA1*.cbox"))
    assert any("21 of 249 picks of crYOLO have a confidence below 0.3" in warning for warning in run(files).warnings)
    assert int(run(files, min_score=0.3).kept.sum()) == 228


def test_a_line_of_topaz_is_counted_from_the_top(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("# picks\n\nimage_name\tx\ty\n")
    with pytest.raises(InputError, match="line 3: found columns image_name x y, expected image_name x_coord y_coord"):
        deduplicate_particles(path)


def test_files_of_one_index_have_one_score(tmp_path: Path) -> None:
    write(tmp_path / "a.cbox", CBOX + "0 0 <NA> 10 10 <NA> 0.5\n")
    write(tmp_path / "b.box", "0 0 10 10 0.7\n5 0 10 10 0.9\n")
    columns = "MicrographName MicrographCoordinates"
    index = star(tmp_path / "autopick.star", [("a.mrc", "a.cbox"), ("b.mrc", "b.box")], columns, "", "coordinate_files")
    with pytest.raises(InputError, match="found scores Confidence and score in its files, expected one in all"):
        run(index)
    assert run(index, score_field="none").kept.sum() == 2


def test_topaz(tmp_path: Path) -> None:
    path = write(tmp_path / "picks.txt", "image_name\tx_coord\ty_coord\tscore\na\t10\t10\t-1.5\na\t12\t10\t3\nb\t10\t10\t0\n")
    result = run(path)
    assert result.kept.tolist() == [False, True, True]
    result.write(tmp_path / "out")
    assert (tmp_path / "out" / "picks_rejected.txt").read_text() == "image_name\tx_coord\ty_coord\tscore\na\t10\t10\t-1.5\n"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_with_commas(tmp_path: Path, end: str) -> None:
    lines = ["Micrograph,class,x,y,Confidence", "j/a.mrc,1,10,10,0.5", "j/a.mrc,2,12,10,0.9", "b.mrc,1,10,10,"]
    path = tmp_path / "picks.csv"
    path.write_bytes(end.join([*lines, ""]).encode())
    result = run(path)
    assert result.kept.tolist() == [False, True, True]
    assert result.coordinates_a.tolist() == [[10, 10], [12, 10], [10, 10]]
    assert [(m.name, m.file) for m in result.joined.picks[0].micrographs] == [("b.mrc", str(path)), ("j/a.mrc", None)]
    assert result.joined.picks[0].micrograph_of.tolist() == [1, 1, 0]
    result.write(tmp_path / "out")
    assert (tmp_path / "out" / "picks_rejected.csv").read_bytes() == end.join([lines[0], lines[1], ""]).encode()
    assert (tmp_path / "out" / "picks_kept.csv").read_bytes() == end.join([lines[0], *lines[2:], ""]).encode()
    star_file = star(tmp_path / "p.star", [(11, 10, "j/a.mrc")])
    assert run([path, star_file]).analysis.overlaps is not None
    assert run([path, star_file]).joined.shared_micrographs.tolist() == [[2, 1], [1, 1]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("micrograph,x_a,y_a\na,1,2\n", "line 1: found columns micrograph, x_a, y_a, expected columns micrograph, x and y"),
        ("micrograph,x,x_px,y\na,1,2,3\n", "line 1: found columns micrograph, x, x_px, y, expected columns micrograph, x and y"),
        ("micrograph,x,y\na,1,2\nb,q,2\n", "line 3: x: found 'q', expected a number"),
        ("micrograph,x,y\na,1,2\nb,1\n", "line 3: found 2 cells, expected 3, as in the head"),
        ("micrograph,x,y\na,1, 2\n", "line 2: found a row of 2 cells, expected 1; separate the cells of this table by commas"),
        ("micrograph,x,y\na,1,inf\n", "found a centre at x 1 y inf"),
    ],
)
def test_bad_tables_with_commas(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        run(write(tmp_path / "picks.csv", text))


def test_an_absent_score_of_picks_names_the_nearest_column(tmp_path: Path) -> None:
    path = write(tmp_path / "a.cbox", CBOX + "0 0 <NA> 10 10 <NA> 0.5\n")
    with pytest.raises(InputError, match="columns, nearest names first: Confidence, "):
        run(path, score_field="confidence")


@pytest.mark.parametrize("suffix", [".box", ".cbox", "_autopick.star"])
def test_a_folder_of_picks_is_one_input(tmp_path: Path, suffix: str) -> None:
    rows = {".box": "0 0 10 10\n1 0 10 10\n", ".cbox": CBOX + "0 0 <NA> 9 9 <NA> 1\n1 0 <NA> 9 9 <NA> 1\n"}
    rows["_autopick.star"] = "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n0 0\n1 0\n"
    paths = [write(tmp_path / "picks" / f"{name}{suffix}", rows[suffix]) for name in ("a", "b")]
    write(tmp_path / "picks" / f"empty{suffix}", rows[suffix].split("0 0")[0])
    for inputs in (tmp_path / "picks", [*paths, tmp_path / "picks" / f"empty{suffix}"]):
        result = run(inputs)
        assert len(result.sources) == 1
        assert [micrograph.name for micrograph in result.sources[0].picks.micrographs] == ["a", "b", "empty"]
        assert result.kept.tolist() == [True, False, True, False]
    result.write(tmp_path / "out")
    assert (tmp_path / "out" / "picks_kept" / f"b{suffix}").read_text() == rows[suffix].replace(rows[suffix].splitlines()[-1] + "\n", "")
    assert (tmp_path / "out" / "picks_rejected" / f"empty{suffix}").read_text() == rows[suffix].split("0 0")[0]


def project(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        write(
            tmp_path / f"AutoPick/job8/Movies/{name}_autopick.star",
            "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnAutopickFigureOfMerit\n0 0 -999\n1 0 0.1\n",
        )
    rows = "".join(f"MotionCorr/{name}.mrc AutoPick/job8/Movies/{name}_autopick.star\n" for name in ("a", "b"))
    return write(
        tmp_path / "AutoPick/job8/autopick.star", f"data_coordinate_files\nloop_\n_rlnMicrographName\n_rlnMicrographCoordinates\n{rows}"
    )


def test_an_index_of_coordinate_files(tmp_path: Path) -> None:
    index = project(tmp_path)
    result = run(index)
    assert [micrograph.name for micrograph in result.sources[0].picks.micrographs] == ["MotionCorr/a.mrc", "MotionCorr/b.mrc"]
    assert result.kept.tolist() == [False, True, False, True]  # -999 is no score
    result.write(tmp_path / "AutoPick" / "clean")
    again = run(tmp_path / "AutoPick" / "clean" / "autopick_kept.star")
    assert again.kept.tolist() == [True, True]
    assert "AutoPick/clean/autopick_kept/a_autopick.star" in (tmp_path / "AutoPick" / "clean" / "autopick_kept.star").read_text()


def test_all_missing_files_of_an_index_are_told_at_once(tmp_path: Path) -> None:
    index = project(tmp_path)
    (tmp_path / "AutoPick/job8/Movies/a_autopick.star").unlink()
    with pytest.raises(InputError, match=r"autopick\.star: 1 of 2 files that it names are missing: .*a_autopick\.star"):
        run(index)


def test_pickers_of_every_format_meet(tmp_path: Path) -> None:
    inputs = [
        star(
            tmp_path / "r.star", [(100, 100, "MotionCorr/job2/a.mrc", 0.5)], "CoordinateX CoordinateY MicrographName AutopickFigureOfMerit"
        ),
        cs(tmp_path / "c.cs", records([(101, 100), (300, 300)], ncc_score=[0.1, 0.2])),
        write(tmp_path / "y" / "a.cbox", CBOX + "52 50 <NA> 100 100 <NA> 0.9\n"),
        write(tmp_path / "b" / "a.box", "53 50 100 100 7\n"),
        write(tmp_path / "t.txt", "image_name\tx_coord\ty_coord\tscore\na\t104\t100\t3\n"),
        project(tmp_path),
    ]
    result = run(inputs)
    assert result.n_micrographs == 2
    assert result.kept.tolist() == [True, False, True, False, False, False, False, True, False, True]
    assert result.analysis.overlaps is not None
    assert result.analysis.overlaps[0].tolist() == [0, 1, 1, 1, 1, 0]
    result.write(tmp_path / "out")
    names = {"particles_kept.star", "particles_kept.cs", "a_kept.cbox", "a_kept.box", "t_kept.txt", "autopick_kept.star", "autopick_kept"}
    assert names <= {path.name for path in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MotionCorr/job002/Movies/20170629_00021_frameImage.mrc", "20170629_00021"),
        (">J2/motioncorrected/013098427457127233138_20170629_00021_frameImage_patch_aligned_doseweighted.mrc", "20170629_00021"),
        ("013098427457127233138_013098427457127233139_x_fractions.tiff", "x"),
        ("FoilHole_26502880_Data_26503611_26503612_20190726_1321_Fractions.mrc", "FoilHole_26502880_Data_26503611_26503612_20190726_1321"),
        ("FoilHole_26502880_Data_26503611_26503612_20190726_1321_EER.eer", "FoilHole_26502880_Data_26503611_26503612_20190726_1321"),
        ("a_DW.mrc", "a"),
        ("TS_01.mrc.tomostar", "TS_01"),
        ("C:\\data\\a.mrc", "a"),
        ("b4_0441", "b4_0441"),
        (".mrc", ".mrc"),
    ],
)
def test_normalised_names(name: str, expected: str) -> None:
    assert Name.of(name).stem == expected


def named(*names: str, uid: int | None = None) -> list[Micrograph]:
    return [Micrograph(name=name, uid=uid) for name in names]


def test_identity_by_path_then_name() -> None:
    matched = unify([("A", named("d1/x.mrc", "d2/x.mrc", "y.mrc")), ("B", named("d2/x.mrc", "y_DW.mrc", "z"))])
    assert matched.numbers == [[0, 1, 2], [1, 2, 3]]
    assert matched.count == 4


def test_identity_by_uid_goes_before_names() -> None:
    matched = unify([("A", named("x.mrc", uid=1)), ("B", named("other.mrc", uid=1) + named("x.mrc", uid=2)), ("C", named("q/other.mrc"))])
    assert matched.numbers == [[0], [0, 1], [0]]
    assert matched.count == 2


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (["d1/x.mrc", "d2/x.mrc"], ["x"], "B: micrograph x: found two candidates by name, d1/x.mrc of A and d2/x.mrc of A; expected one"),
        (["x"], ["d1/x.mrc", "d2/x.mrc"], "B: found two micrographs that fit x of A by name, d1/x.mrc and d2/x.mrc; expected one"),
    ],
)
def test_an_ambiguous_name_is_refused_with_both_candidates(first: list[str], second: list[str], message: str) -> None:
    with pytest.raises(InputError) as error:
        unify([("A", named(*first)), ("B", named(*second))])
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.box", "1 2 3 4\n1 2 3\n", "a.box, line 2: found a row of 3 cells, expected 4"),
        ("a.box", "1 2 3 4\nsixty 2 3 4\n", "a.box, line 2: x: found 'sixty', expected a number"),
        ("a.box", "1 2 3\n", "a.box: found a first row of 3 cells, expected 4 or 5"),
        ("a.cbox", CBOX.replace("_Width", "_Weight") + "1 2 3 4 5 6 7\n", "a.cbox: data_cryolo: found no column _Width"),
        ("a.txt", "image_name\tx\ty\n", "a.txt, line 1: found columns image_name x y, expected image_name x_coord y_coord [z_coord] score"),
        ("a.txt", "image_name\tx_coord\ty_coord\tscore\na\t1\t2\n", "a.txt, line 2: found a row of 3 cells, expected 4"),
    ],
)
def test_bad_pick_files(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        run(write(tmp_path / name, text))
    assert message in str(error.value)


def test_a_folder_of_mixed_picks_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "f" / "a.box", "1 2 3 4\n")
    write(tmp_path / "f" / "b.cbox", CBOX)
    with pytest.raises(InputError, match=r"f: found \.box, \.cbox, expected a folder of"):
        run(tmp_path / "f")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: found no pick files"):
        run(tmp_path / "empty")


@needs_shared
def test_real_boxes(real: Path) -> None:
    left = run(real / "boxmanager" / "2d_left.box")
    np.testing.assert_array_equal(left.coordinates_a, [[24, 40], [36, 62], [78, 51]])
    with pytest.raises(InputError, match="found a width of 0, expected a whole number of pixels above 0"):
        run(real / "boxmanager" / "2d_center.box")
    assert len(run(real / "boxmanager" / "2d_empty.box").kept) == 0
    assert len(run(sorted((real / "boxmanager").glob("Tcd*.cbox"))).kept) > 200
    for name, message in (("has_string", "line 2: x: found 'sixty_three'"), ("unqual_columns", "line 3: found a row of 3 cells")):
        with pytest.raises(InputError, match=message):
            run(real / "boxmanager" / f"2d_corrupt_{name}.box")


def test_two_micrographs_of_one_input_stay_two(tmp_path: Path) -> None:
    first, second, both = named("x/a.mrc"), named("y/a.mrc"), named("x/a.mrc", "y/a.mrc")
    assert unify([("C", both), ("A", first), ("B", second)]).count == 2
    assert unify([("A", first), ("B", second), ("C", both)]).count == 2  # C has both directories


HELICES = "# version 30001\n\ndata_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n_rlnClassNumber #3\n_rlnAutopickFigureOfMerit #4\n"


def helices(project: Path, *files: list[tuple[float, ...]], job: str = "") -> Path:
    """A job of RELION's manual picking: an index, a file of rows for each micrograph, and perhaps ``job.star``."""
    folder = project / "ManualPick" / "job006"
    (folder / "Movies").mkdir(parents=True)
    names = [f"m{i}" for i in range(len(files))]
    for name, rows in zip(names, files, strict=True):
        text = "".join(f"{x:12.6f} {y:12.6f} {-999:12d} {-999.0:12.6f} \n" for x, y in rows)
        (folder / "Movies" / f"{name}_manualpick.star").write_text(HELICES + text + "\n")
    if job:
        (folder / "job.star").write_text(
            f"data_job\n\n_rlnJobTypeLabel relion.{job.split(maxsplit=1)[0]}\n\ndata_joboptions_values\n\nloop_\n"
            f"_rlnJobOptionVariable #1\n_rlnJobOptionValue #2\n diameter 100\n{job.partition(' ')[2]}\n"
        )
    index = [(f"MotionCorr/job002/Movies/{name}.mrc", f"ManualPick/job006/Movies/{name}_manualpick.star") for name in names]
    return star(folder / "manualpick.star", index, "MicrographName MicrographCoordinates", "", "coordinate_files")


TWO = [(100.0, 100.0), (900.0, 100.0), (903.0, 104.0), (98.0, 97.0), (100.0, 100.0), (500.0, 700.0), (102.0, 101.0), (40.0, 999.0)]
"""Four helices: the second is the first from its other end, the others have one end in common with them."""


@pytest.mark.parametrize(
    ("job", "refused"),
    [
        ("manualpick.helical do_startend Yes", True),
        ("manualpick do_startend No", False),
        ("autopick.topaz.pick.helical do_topaz_pick Yes\ndo_topaz_filaments Yes", True),
        ("autopick.topaz.train do_topaz_pick No\ndo_topaz_filaments Yes", False),
    ],
)
def test_starts_and_ends_of_helices_are_refused_where_the_job_says_so(tmp_path: Path, job: str, refused: bool) -> None:
    index = helices(tmp_path, TWO, TWO, job=job)
    folder = index.parent / "Movies"
    for inputs in (index, folder, folder / "m0_manualpick.star"):
        if refused:
            with pytest.raises(InputError, match=r"found starts and ends of helices, two rows for each, as .*job\.star says"):
                run(inputs)
        else:
            assert not any("starts and ends" in warning for warning in run(inputs).warnings) or "train" in job


def test_old_jobs_say_it_in_another_file(tmp_path: Path) -> None:
    index = helices(tmp_path, TWO)
    (index.parent / "run.job").write_text("job_type == 3\nContinue == false\nPick start-end coordinates helices? == Yes\n")
    with pytest.raises(InputError, match=r"as .*run\.job says"):
        run(index)


@pytest.mark.parametrize(("tubes", "refused"), [([1, 1, 2, 2], True), ([1, 1, 1, 2], False), ([1, 2, 1, 2], False), ([1, 1, 1, 1], False)])
def test_starts_and_ends_are_refused_where_each_filament_number_has_two_rows(tmp_path: Path, tubes: list[int], refused: bool) -> None:
    """As scripts write them that convert the filaments of crYOLO for RELION's manual picking."""
    rows = [(x, y, 2, -999, -999, tube) for (x, y), tube in zip(TWO, tubes, strict=False)]
    columns = "CoordinateX CoordinateY ParticleSelectionType AnglePsi AutopickFigureOfMerit HelicalTubeID"
    path = star(tmp_path / "m0_manualpick.star", rows, columns, block="")
    if refused:
        with pytest.raises(InputError, match="found two rows without a score for each filament number"):
            run(path)
        assert len(run(path, start_end=True).kept) == 2
    else:
        assert len(run(path).kept) == 4


def test_files_that_may_hold_starts_and_ends_are_noticed(tmp_path: Path) -> None:
    said = "an even number of picks without scores in all 2 files: if they are starts and ends of helices"
    assert any(said in warning for warning in run(helices(tmp_path / "a", TWO, [], TWO[:2])).warnings)
    assert not any("starts and ends" in warning for warning in run(helices(tmp_path / "b", TWO, TWO[:3])).warnings)
    scored = helices(tmp_path / "c", TWO, TWO)
    for path in (scored.parent / "Movies").iterdir():
        path.write_text(path.read_text().replace("-999.000000", "    0.500000"))
    assert not any("starts and ends" in warning for warning in run(scored).warnings)


def test_helices_are_kept_or_rejected_whole(command: Command, tmp_path: Path) -> None:
    index = helices(tmp_path, TWO, [], TWO[:4], job="manualpick.helical do_startend Yes")
    result = run(index, start_end=True)
    assert result.kept.tolist() == [True, False, True, True, True, False]
    assert result.duplicate_of.tolist() == [0, 4]
    np.testing.assert_allclose(result.distances_a, 5)  # of the ends that are further apart
    np.testing.assert_allclose(result.coordinates_a[0], (500, 100))
    assert not any("starts and ends" in warning for warning in result.warnings)
    written = tmp_path / "clean"
    ran = command("particles", index, "--start-end", "--pixel-size", 1, "-o", written)
    assert (ran.status, "12 rows are the ends of 6 filaments" in ran.out) == (0, True)
    before = (index.parent / "Movies" / "m0_manualpick.star").read_text().splitlines()
    kept, rejected = ((written / f"manualpick_{word}" / "m0_manualpick.star").read_text().splitlines() for word in ("kept", "rejected"))
    head = len(HELICES.splitlines())
    assert kept == before[: head + 2] + before[head + 4 :]
    assert rejected == before[:head] + before[head + 2 : head + 4] + before[head + len(TWO) :]
    again = run(written / "manualpick_kept.star", start_end=True)
    assert (len(again.kept), again.kept.all()) == (4, True)
    applied = command("apply", written, index, "-o", tmp_path / "applied")
    assert applied.status == 0, applied.err
    assert (tmp_path / "applied" / "manualpick_kept" / "m0_manualpick.star").read_text().splitlines() == kept


def test_helices_of_equal_ends_and_those_of_two_inputs(tmp_path: Path) -> None:
    one, two = helices(tmp_path / "one", TWO[:2]), helices(tmp_path / "two", [(900.0, 100.0), (100.0, 100.0)])
    assert run([one, two], start_end=True, min_separation_a=0).kept.tolist() == [True, False]
    assert run([one, two], start_end=True, remove_entirely=True).kept.tolist() == [False, False]
    assert run([one, two], start_end=True, min_votes=2).kept.tolist() == [True, False]
    with pytest.raises(InputError, match=r"m0_manualpick\.star: found 3 rows, expected an even number: a start and an end"):
        run(helices(tmp_path / "odd", TWO[:3]), start_end=True)
    with pytest.raises(InputError, match=r"p\.star: found RELION STAR, expected RELION's coordinate files of starts and ends"):
        run([one, star(tmp_path / "p.star", [(1, 2, "m0")])], start_end=True)
