"""Dynamo tables, STOPGAP motive lists, IMOD points, and plain numbers that could be anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cases import Ran, needs_shared, star
from cryodedup import InputError, ParticleParams, ParticleResult, deduplicate_particles
from cryodedup.report.figures import example_panels
from cryodedup.report.figures.examples import examples

Command = Callable[..., Ran]


def run(paths: Path | list[Path], **params: object) -> ParticleResult:
    return deduplicate_particles(paths, ParticleParams(**{"pixel_size_a": 10.0, **params}))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def dynamo(path: Path, *rows: dict[int, object], columns: int = 35) -> Path:
    """A table; cells by column, counted from 1."""
    return write(path, "".join(" ".join(str(row.get(i, 0)) for i in range(1, columns + 1)) + "\n" for row in rows))


def test_a_dynamo_table(tmp_path: Path) -> None:
    path = dynamo(
        tmp_path / "t.tbl",
        {1: 1, 4: 1.5, 10: 0.2, 20: 3, 24: 100, 25: 200, 26: 50},
        {1: 2, 6: -1, 10: 0.9, 20: 3, 24: 101, 25: 200, 26: 51, 28: "0+1.2e-06i"},
        {1: 3, 10: 0.5, 20: 4, 24: 100, 25: 200, 26: 50},
    )
    result = run(path, min_separation_a=10)
    np.testing.assert_allclose(result.coordinates_a, [[1015, 2000, 500], [1010, 2000, 500], [1000, 2000, 500]])
    assert result.kept.tolist() == [False, True, True]
    assert run(path, min_separation_a=12, shift_key="none").kept.tolist() == [True, True, True]
    result.write(tmp_path / "out")
    lines = path.read_text().splitlines(keepends=True)
    assert (tmp_path / "out" / "t_kept.tbl").read_text() == lines[1] + lines[2]
    assert (tmp_path / "out" / "t_rejected.tbl").read_text() == lines[0]


@pytest.mark.parametrize("columns", [26, 32, 42])
def test_dynamo_tables_of_other_lengths(tmp_path: Path, columns: int) -> None:
    path = dynamo(tmp_path / "t.tbl", {20: 1, 24: 10, 25: 20, 26: 30, 36: 2.5}, columns=columns)
    if columns == 42:
        assert run(path, pixel_size_a=None).coordinates_a.tolist() == [[25, 50, 75]]
        with pytest.raises(InputError, match=r"while apix \(column 36\) gives 2.5 Å"):
            run(path)
    else:
        assert run(path).coordinates_a.tolist() == [[100, 200, 300]]
        with pytest.raises(InputError, match="found no pixel size of its coordinates"):
            run(path, pixel_size_a=None)


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        ([{24: 1}], 25, "found a first row of 25 cells, expected a Dynamo table: 26 columns or more"),
        ([{20: 1.5, 24: 1, 25: 1, 26: 1}], 30, "line 1: tomo: found 1.5, expected the number of a tomogram"),
        ([{20: i, 24: 32, 25: 32, 26: 32} for i in (1, 2, 3)], 30, "found every particle at 32 32 32 of a tomogram of its own"),
        ([{24: "x"}], 30, "line 1: x: found 'x', expected a number"),
    ],
)
def test_bad_dynamo_tables(tmp_path: Path, rows: list[dict[int, object]], columns: int, message: str) -> None:
    with pytest.raises(InputError) as error:
        run(dynamo(tmp_path / "t.tbl", *rows, columns=columns))
    assert message in str(error.value)


def test_numbers_meet_names_through_a_map_only(command: Command, tmp_path: Path) -> None:
    table = dynamo(tmp_path / "t.tbl", {20: 3, 24: 10, 25: 20, 26: 30})
    names = star(tmp_path / "p.star", [("TS_03", 10, 20, 30), ("TS_04", 10, 20, 30)], "TomoName CoordinateX CoordinateY CoordinateZ")
    with pytest.raises(InputError, match=r"t\.tbl: found numbers of tomograms, but names in .*p\.star, .* give tomograms FILE"):
        run([table, names])
    lines = write(tmp_path / "map.doc", "# number, file\n3 recon/TS_03.rec\n4\trecon/TS_04.rec\n")
    listed = star(tmp_path / "map.star", [("TS_03", 3), ("TS_04", 4)], "TomoName TomoNumber", block="tomograms")
    for given in (lines, listed):
        assert run([table, names], tomograms=given).kept.tolist() == [True, False, True]
    ran = command("particles", table, names, "--pixel-size", 10, "--dry-run", "--tomograms", lines)
    assert "kept 2, rejected 1" in ran.out
    for text, message in (
        ("4 TS_04\n", "t.tbl: found tomogram 3, expected one of those in"),
        ("TS_03\n", "line 1: found 'TS_03', expected a number and a name (--tomograms)"),
        ("3 a\n3 b\n", "found tomogram 3 as a and as b, expected one name"),
    ):
        ran = command("particles", table, "--pixel-size", 10, "--dry-run", "--tomograms", write(tmp_path / "bad.doc", text))
        assert ran.status == 2
        assert message in ran.err


def test_equal_numbers_of_two_inputs_are_one_tomogram_and_that_is_said(tmp_path: Path) -> None:
    first, second = (dynamo(tmp_path / f"{name}.tbl", {20: 3, 24: 10, 25: 20, 26: 30}) for name in "ab")
    result = run([first, second])
    assert result.kept.tolist() == [True, False]
    assert any("tomograms of equal numbers are treated as the same" in warning for warning in result.warnings)


HEAD = "\ndata_stopgap_motivelist\n\nloop_\n" + "".join(
    f"_{name}\n" for name in ["motl_idx", "tomo_num", "object", "subtomo_num", "halfset", "orig_x", "orig_y", "orig_z", "score", "x_shift", "y_shift", "z_shift", "phi", "psi", "the", "class"]
)  # fmt: skip


def motive_list(path: Path, *rows: str) -> Path:
    return write(path, HEAD + "\n" + "".join(f"{row} 0 0 0 1\n" for row in rows))


def test_a_motive_list(tmp_path: Path) -> None:
    path = motive_list(
        tmp_path / "m.star",
        "1 1 1 1 A 10 20 30 0.5 1 0 0",
        "2 1 1 2 B 12 20 30 0.7 0 0 0",
        "3 2 1 3 A 10 20 30 0.1 0 0 0",
    )
    result = run(path, min_separation_a=10)
    np.testing.assert_allclose(result.coordinates_a, [[110, 200, 300], [120, 200, 300], [100, 200, 300]])
    assert result.kept.tolist() == [False, True, True]
    assert result.half_sets is not None
    found = result.half_sets.found
    assert (found.sizes, found.pairs_across) == ((2, 1), 1)
    result.write(tmp_path / "out")
    kept = (tmp_path / "out" / "particles_kept.star").read_text()
    assert kept == path.read_text().replace("1 1 1 1 A 10 20 30 0.5 1 0 0 0 0 0 1\n", "")
    with pytest.raises(InputError, match="found the half-sets A and B of STOPGAP"):
        run(path, half_sets="repair")


def test_orientations_of_one_particle_stay_or_go_as_one(tmp_path: Path) -> None:
    path = motive_list(
        tmp_path / "m.star",
        "1 1 1 1 A 10 20 30 0.5 0 0 0", "1 1 1 1 A 10 20 30 0.9 2 0 0",
        "2 1 1 2 A 13 20 30 0.7 0 0 0", "2 1 1 2 A 13 20 30 0.2 9 0 0",
        "3 1 1 1 A 90 20 30 0.7 0 0 0",
    )  # fmt: skip
    result = run(path, min_separation_a=12)
    assert result.coordinates_a[:, 0].tolist() == [120, 130, 900]  # that of the best orientation; the last is of another project
    assert result.kept.tolist() == [True, False, True]
    result.write(tmp_path / "out", report=False)
    assert "5 rows are orientations of 3 particles" in result.notes[1]
    for word, lines in (("kept", [0, 1, 4]), ("rejected", [2, 3])):
        rows = (tmp_path / "out" / f"particles_{word}.star").read_text()[len(HEAD) + 1 :].splitlines()
        assert rows == [path.read_text()[len(HEAD) + 1 :].splitlines()[i] for i in lines]


@pytest.mark.parametrize(
    "rows",
    ["1.5 2 3\n1.5 2.2 30\n", " 1   1.5 2 3\n 1 1.5 2.2 30\n", " 1 1 1.5 2 3\n 1 2 1.5 2.2 30\n", "# of 3dmod\n1.5 2 3\n1.5 2.2 30\n"],
)
def test_points_of_imod(tmp_path: Path, rows: str) -> None:
    path = write(tmp_path / "TS_01.txt", rows)
    result = run(path)
    assert result.coordinates_a.tolist() == [[15, 20, 30], [15, 22, 300]]
    assert result.sources[0].picks.micrographs[0].name == "TS_01"
    result.write(tmp_path / "out", report=False)
    assert (tmp_path / "out" / "TS_01_kept.txt").read_text() == rows


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "1 2 0.5\n3 4 0.7\n", "found rows of 3 numbers, which could be x y z or x y score"),
        ("a.txt", "1 2 100 100\n2 9 100 100\n", "could be contour x y z or EMAN boxes (x y width height)"),
        ("a.txt", "5 2 100 100\n2 9 100 100\n", "could be EMAN boxes (x y width height)"),
        ("a.txt", "1 2\n", "found rows of 2 numbers, which could be x y, expected"),
        ("a.txt", "1 2 3 4 5 6\n", "found rows of 6 numbers, which could be from many programs, expected"),
        ("a.csv", "1,2,3\n", "found numbers separated by commas; PEET, emClarity, cisTEM and EPicker write such files"),
        ("a.csv", " ".join("1" * 26) + "\n", "found rows of 26 numbers, which may be a Dynamo or an emClarity table; rename a Dynamo table to NAME.tbl"),
        ("a.box", "1 2 3\n", "found a first row of 3 cells, expected 4 or 5"),
        ("a.box", "1 2 0 10\n", "line 1: found a width of 0, expected a whole number of pixels above 0"),
        ("a.box", "1 2 10 10.5\n", "line 1: found a height of 10.5, expected a whole number of pixels above 0"),
        ("a.box", "1 2 10 -10\n", "line 1: found a height of -10, expected"),
        ("a.box", "1 2 10 10 -1\n9 9 10 10 -2\n", "found the ends of helices (-1 and -2 in the fifth column), expected particles"),
        ("a.xmd", "# XMIPP_STAR_1 *\ndata_particles\nloop_\n _xcoor\n _ycoor\n 1 2\n", "found particles of Xmipp, expected those of RELION or STOPGAP"),
        ("a.star", "data_\n\nloop_\n_wrpCoordinateX1 #1\n_wrpCoordinateY1 #2\n1 2\n", "found M's own particles (wrpCoordinateX1), expected RELION's"),
        ("a.mod", "IMODV1.2....", "found an IMOD model, expected its points as text: model2point a.mod points.txt"),
        ("a.csv", "CCC,reserved,reserved\n1,0,0\n", "found a motive list of PEET, which contains offsets"),
        ("a.json", '{"boxes": []}', "found JSON, which is not read"),
        ("a.sqlite", "SQLite format 3\0", "found an SQLite database"),
        ("empty.txt", "", "found an empty file, expected RELION or STOPGAP .star"),
    ],
)  # fmt: skip
def test_what_could_be_something_else_is_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        run(write(tmp_path / name, text))
    assert message in str(error.value)


def test_emans_flag_is_no_score(tmp_path: Path) -> None:
    path = write(tmp_path / "a.box", "0 0 10 10 -3\n1 0 10 10 -3\n")
    result = run(path, pixel_size_a=1)
    assert (result.kept.tolist(), result.sources[0].score["field"], result.warnings) == ([True, False], None, ())


def test_topaz_with_z_is_3d(tmp_path: Path) -> None:
    path = write(tmp_path / "t.txt", "image_name\tx_coord\ty_coord\tz_coord\tscore\na\t10\t10\t10\t1\na\t10\t10\t90\t2\n")
    result = run(path, pixel_size_a=1)
    assert (result.coordinates_a.shape[1], result.kept.tolist()) == (3, [True, True])


@pytest.mark.parametrize(
    ("columns", "row", "message"),
    [
        ("TomoName CenteredCoordinateXAngst CenteredCoordinateYAngst", ("t", 1, 2), "found rlnCenteredCoordinateXAngst without rlnCenteredCoordinateZAngst"),
        ("TomoName CenteredCoordinateXAngst CenteredCoordinateYAngst CenteredCoordinateZAngst TomoSubtomogramRot", ("t", 1, 2, 3, 4), "found rlnTomoSubtomogramRot without rlnTomoSubtomogramTilt"),
        ("MicrographName CoordinateX CoordinateY CoordinateZ", ("t.tomostar", 0.1, 0.2, 0.9), "found coordinates that lie from 0 to 1, as Warp's template matching writes them"),
    ],
)  # fmt: skip
def test_columns_that_mean_nothing_alone(tmp_path: Path, columns: str, row: tuple[object, ...], message: str) -> None:
    with pytest.raises(InputError) as error:
        run(star(tmp_path / "p.star", [row], columns))
    assert message in str(error.value)


def test_an_optics_group_that_is_listed_twice(tmp_path: Path) -> None:
    from cases import optics

    path = star(
        tmp_path / "p.star", [(0, 0, "m", 1)], "CoordinateX CoordinateY MicrographName OpticsGroup", optics((1, "o", 1.0), (1, "p", 2.0))
    )
    with pytest.raises(InputError, match="data_optics: found rlnOpticsGroup 1 2 times, expected each once"):
        run(path, pixel_size_a=None)


SET = "TomoName CenteredCoordinateXAngst CenteredCoordinateYAngst CenteredCoordinateZAngst"


def test_arrows_start_where_particles_were_picked_from_the_middle_or_a_corner(tmp_path: Path) -> None:
    """RELION's centres are moved by 3, 4, 0 Å; Dynamo's, which lie in the same places, by nothing."""
    columns = f"{SET} OriginXAngst OriginYAngst OriginZAngst AngleRot AngleTilt"
    rows = [("TS_01", 100 * k + 3, -200 + 4, 50, 3, 4, 0, 10 * k, 20) for k in range(6)]
    relion = star(tmp_path / "p.star", rows, columns)
    picks = dynamo(tmp_path / "t.tbl", *({20: 1, 24: 250 + 10 * k, 25: 230, 26: 80} for k in range(6)))
    sizes = star(
        tmp_path / "tomograms.star",
        [("TS_01", 2.5, 4, 2000, 2000, 600)],
        "TomoName TomoTiltSeriesPixelSize TomoTomogramBinning TomoSizeX TomoSizeY TomoSizeZ",
    )
    result = run([relion, picks], tomograms=write(tmp_path / "t.doc", "1 TS_01\n"), micrographs=sizes, pixel_size_a={"t.tbl": 10.0})
    assert result.centres.shift_key == "alignments3D"
    (shown,) = examples(result)
    assert shown.picked_a is not None
    moved = shown.centres_a - shown.picked_a
    assert moved == pytest.approx(np.repeat([[-3, -4], [0, 0]], 6, axis=0), abs=1e-6)
    assert "Median shift: 5.0 Å" in example_panels.draw(shown, ("kept", "rejected")).caption


@pytest.mark.parametrize("as_loop", [False, True])
def test_an_optimisation_set_is_read_and_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_loop: bool) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Refine3D/job1").mkdir(parents=True)
    particles = star(tmp_path / "Refine3D/job1/run_data.star", [("t", 0, 0, 0), ("t", 5, 0, 0), ("t", 90, 0, 0)], SET)
    entries = {
        "TomoParticlesFile": "Refine3D/job1/run_data.star",
        "TomoTomogramsFile": "Tomograms/tomograms.star",
        "TomoTrajectoriesFile": "m.star",
    }
    path = tmp_path / "Refine3D/job1/optimisation_set.star"
    if as_loop:
        star(path, [tuple(entries.values())], " ".join(entries), block="optimisation_set")
    else:
        write(path, "data_\n\n" + "".join(f"_rln{label} {value}\n" for label, value in entries.items()))
    for given in (path, particles):
        result = run(given, pixel_size_a=None)
        assert result.kept.tolist() == [True, False, True]
        result.write(tmp_path / "clean", overwrite=True, report=False)
        text = (tmp_path / "clean" / "optimisation_set.star").read_text()
        assert [line.split() for line in text.splitlines() if line.startswith("_")] == [
            ["_rlnTomoParticlesFile", "clean/particles_kept.star"],
            ["_rlnTomoTomogramsFile", "Tomograms/tomograms.star"],
        ]
        summary = json.loads((tmp_path / "clean" / "summary.json").read_text())
        assert any("rlnTomoTrajectoriesFile is not in the new set" in note for note in summary["notes"])
    assert run(tmp_path / "clean" / "optimisation_set.star", pixel_size_a=None).kept.all()


@needs_shared
def test_real_motive_list_and_the_same_from_tomoman(real: Path) -> None:
    motives, table = (run(real / "czi" / f"{name}_star.star", pixel_size_a=1.96) for name in ("stopgap", "tomoman_relion"))
    assert (len(motives.kept), motives.n_micrographs) == (6, 3)
    assert motives.coordinates_a[0].tolist() == pytest.approx([1.96 * (4 - 1.2), 1.96 * (8 - 2.4), 1.96 * (12 - 3.2)])
    assert len(table.kept) == 6


@needs_shared
@pytest.mark.parametrize("name", ["sta_testing", "sta_testing_bin8"])
def test_a_real_particle_series_is_refused(real: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"found a particle series, 219 tilt images of 6 particles \(rlnGroupName\)"):
        deduplicate_particles(real / "cryodrgn" / f"{name}.star", ParticleParams(pixel_size_a=1.96))


def test_groups_of_micrographs_are_no_particle_series(tmp_path: Path) -> None:
    columns = "MicrographName CoordinateX CoordinateY GroupName CtfScalefactor CtfBfactor"
    rows = [
        (f"m{i % 5}", 100 * i, 5, "group_01", 1 - 0.01 * i, 0) for i in range(10)
    ]  # a class of micrographs, as RELION groups few particles
    assert deduplicate_particles(star(tmp_path / "p.star", rows, columns), ParticleParams(pixel_size_a=1)).kept.all()
    series = [(f"m{i % 5}", 100 * i, 5, f"particle_{i // 5}", 1 - 0.01 * (i % 5), 0) for i in range(10)]
    for number in (len(columns.split()), 4):  # not all programs write the weights
        path = star(tmp_path / "s.star", [row[:number] for row in series], " ".join(columns.split()[:number]))
        with pytest.raises(InputError, match="found a particle series, 10 tilt images of 2 particles"):
            deduplicate_particles(path, ParticleParams(pixel_size_a=1))
