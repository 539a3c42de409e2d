"""STAR files: traps of real ones, by way of the whole job; starfile is the oracle for values where it reads right."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import starfile

from cases import needs_shared, optics, star
from cryodedup import InputError, ParticleParams, deduplicate_particles
from cryodedup.formats.output import Destination
from cryodedup.formats.star import open_star
from cryodedup.formats.star_output import StarOutput
from cryodedup.progress import SILENT

OPTICS = optics((1, "opticsGroup1", 1.0))


def run(path: Path, **params: object) -> list[bool]:
    return deduplicate_particles(path, ParticleParams(**{"pixel_size_a": 1.0, **params})).kept.tolist()


def text(tmp_path: Path, content: str, newline: str = "\n") -> Path:
    path = tmp_path / "p.star"
    path.write_bytes(content.replace("\n", newline).encode())
    return path


HEAD = "data_particles\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
TRAPS = {
    "labels from #0": HEAD.replace("#1", "#0").replace("#2", "#1").replace("#3", "#2") + "m 0 0\nm 1 0\nm 90 0\n",
    "labels without numbers": HEAD.replace(" #1", "").replace(" #2", "").replace(" #3", "") + "m 0 0\nm 1 0\nm 90 0\n",
    "comment before loop_": HEAD.replace("loop_", "# a comment\nloop_") + "m 0 0\nm 1 0\nm 90 0\n",
    "tabs and blanks at the ends": HEAD + "\tm\t0\t0 \n m 1 0\t\nm 90 0   \n",
    "blank line among the rows": HEAD + "m 0 0\n\nm 1 0\n \nm 90 0\n",
    "comment among the rows": HEAD + "m 0 0\n# note\nm 1 0\nm 90 0\n",
    "no newline at the end": HEAD + "m 0 0\nm 1 0\nm 90 0",
    "quoted names": HEAD + "'a m' 0 0\n\"a m\" 1 0\n'a m' 90 0\n",
    "names that begin with data_": HEAD + "data_1/m 0 0\ndata_1/m 1 0\ndata_1/m 90 0\n",
    "pairs and a table behind": HEAD + "m 0 0\nm 1 0\nm 90 0\n\ndata_general\n\n_rlnTomoSubTomosAre2DStacks 1\n\ndata_x\nloop_\n_a\n1\n",
    "two blocks of one name": "data_\n_a 1\n\ndata_\n" + HEAD.replace("data_particles", "") + "m 0 0\nm 1 0\nm 90 0\n",
    "an empty table before": "data_particles\nloop_\n_rlnRandomSubset\n\n" + HEAD.replace("particles", "images") + "m 0 0\nm 1 0\nm 90 0\n",
    "vectors and missing values": HEAD + "_rlnBeamTilt #4\n_rlnX #5\nm 0 0 [1,2,3] None\nm 1 0 [] <NA>\nm 90 0 [] ''\n",
    "numbers in every style": HEAD + "m 0.0 -0\nm +1e0 .0\nm 9.0E1 0.\n",
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("trap", TRAPS)
def test_traps(tmp_path: Path, trap: str, newline: str) -> None:
    path = text(tmp_path, TRAPS[trap], newline)
    result = deduplicate_particles(path, ParticleParams(pixel_size_a=1.0))
    assert result.kept.tolist() == [True, False, True]
    result.write(tmp_path / "out")
    kept = (tmp_path / "out" / "particles_kept.star").read_bytes()
    rejected = (tmp_path / "out" / "particles_rejected.star").read_bytes()
    lines = path.read_bytes().splitlines(keepends=True)
    rows = [line for line in lines if len(line.split()) >= 3 and not line.startswith((b"_", b"#"))]
    assert len(rows) == 3
    assert kept == b"".join(line for line in lines if line != rows[1])
    assert rejected == b"".join(line for line in lines if line not in (rows[0], rows[2]))


SINGLE = "data_particles\n\n_rlnCoordinateX 10\n_rlnCoordinateY 20\n_rlnMicrographName 0012\n_rlnOriginXAngst 2\n_rlnAngleRot 5\n\n"


def test_one_particle_without_a_loop(tmp_path: Path) -> None:
    """As some programs write a table of one row; RELION reads it."""
    path, groups = text(tmp_path, "data_other\n_a 1\n\n" + SINGLE), ParticleParams(pixel_size_a=1.0)
    more = star(tmp_path / "q.star", [(8, 20, "0012"), (90, 20, "0012")])
    result = deduplicate_particles([path, more], groups)
    assert result.sources[0].picks.micrographs[0].name == "0012"
    assert result.kept.tolist() == [True, False, True]
    assert deduplicate_particles(path, groups).coordinates_a.tolist() == [[8, 20]]
    result.write(tmp_path / "out")
    assert (tmp_path / "out" / "p_kept.star").read_bytes() == path.read_bytes()
    (rejected,) = open_star([tmp_path / "out" / "p_rejected.star"])
    assert (rejected.tables[1].labels[:2], len(rejected.tables[1].rows)) == (["rlnCoordinateX", "rlnCoordinateY"], 0)
    for order in ([path, more], [more, path]):  # and kept or rejected, they can be read again
        deduplicate_particles(order, groups).write(tmp_path / "o", overwrite=True)
        for word in ("kept", "rejected"):
            assert len(deduplicate_particles(tmp_path / "o" / f"p_{word}.star", groups).kept) == ((order[0] == path) == (word == "kept"))


def test_a_pick_file_of_one_pick_without_a_loop(tmp_path: Path) -> None:
    path = tmp_path / "m_manualpick.star"
    path.write_text("data_\n\n_rlnCoordinateX 10\n_rlnCoordinateY 20\n")
    result = deduplicate_particles(path, ParticleParams(pixel_size_a=1.0))
    assert (len(result.kept), result.sources[0].picks.micrographs[0].name) == (1, "m")
    result.write(tmp_path / "out")
    assert (tmp_path / "out" / "particles_kept.star").read_bytes() == path.read_bytes()


def test_names_stay_text(tmp_path: Path) -> None:
    names = ["0012", "12", "12.0", "mic#1.mrc", "mic#2.mrc", "mic"]
    path = star(tmp_path / "p.star", [(5, 0, name) for name in names])
    result = deduplicate_particles(path, ParticleParams(pixel_size_a=1.0))
    assert [micrograph.name for micrograph in result.sources[0].picks.micrographs] == names
    assert result.kept.all()


def test_names_that_are_not_utf8_survive(tmp_path: Path) -> None:
    path = tmp_path / "p.star"
    path.write_bytes(HEAD.encode() + b"m\xfc 0 0\nm\xfc 1 0\nm\xe4 1 0\n")
    result = deduplicate_particles(path, ParticleParams(pixel_size_a=1.0))
    assert result.kept.tolist() == [True, False, True]
    result.write(tmp_path / "out")
    assert b"m\xe4 1 0\n" in (tmp_path / "out" / "particles_kept.star").read_bytes()
    assert "m\ufffd" in (tmp_path / "out" / "duplicates.csv").read_text()


def test_optics_behind_the_particles_and_without_a_loop(tmp_path: Path) -> None:
    rows = "0 0 m 1\n1.1 0 m 1\n90 0 m 1\n"
    columns = "_rlnCoordinateX\n_rlnCoordinateY\n_rlnMicrographName\n_rlnOpticsGroup\n"
    for name, block in (("loop", OPTICS), ("pairs", "\ndata_optics\n_rlnOpticsGroup 1\n_rlnMicrographPixelSize 1.0\n")):
        path = tmp_path / f"{name}.star"
        path.write_text(f"data_particles\nloop_\n{columns}{rows}{block}")
        result = deduplicate_particles(path, ParticleParams(min_separation_a=1.2))
        assert result.kept.tolist() == [True, False, True]


def test_origins_in_angstrom_and_in_pixels(tmp_path: Path) -> None:
    """Coordinates 100 px apart that shifts bring together; 3.0 counts origins in pixels of the particle image."""
    new = star(
        tmp_path / "new.star", [(100, 0, "m", 1, 20), (200, 0, "m", 1, 218)], "CoordinateX CoordinateY MicrographName OpticsGroup OriginXAngst",
        optics((1, "o", 2.0)),
    )  # fmt: skip
    assert deduplicate_particles(new, ParticleParams(min_separation_a=3)).kept.tolist() == [True, False]  # 180 and 182 Å
    assert deduplicate_particles(new, ParticleParams(min_separation_a=3, shift_key="none")).kept.tolist() == [True, True]
    old = star(
        tmp_path / "old.star", [(100, 0, "m", 10000, 4.0, 5), (200, 0, "m", 10000, 4.0, 54.5)],
        "CoordinateX CoordinateY MicrographName Magnification DetectorPixelSize OriginX", block="images",
    )  # fmt: skip
    result = deduplicate_particles(old, ParticleParams(min_separation_a=3, pixel_size_a=2))
    np.testing.assert_allclose(result.coordinates_a, [[180, 0], [182, 0]])
    assert result.kept.tolist() == [True, False]


def test_the_angstrom_origins_win_where_both_are(tmp_path: Path) -> None:
    columns = "CoordinateX CoordinateY MicrographName OriginX OriginXAngst"
    path = star(tmp_path / "p.star", [(100, 0, "m", 1e6, 10)], columns)
    np.testing.assert_allclose(deduplicate_particles(path, ParticleParams(pixel_size_a=1)).coordinates_a, [[90, 0]])


def test_origins_in_pixels_need_the_images_pixel_size(tmp_path: Path) -> None:
    path = star(tmp_path / "p.star", [(100, 0, "m", 3)], "CoordinateX CoordinateY MicrographName OriginX")
    with pytest.raises(
        InputError, match=r"p\.star: found rlnOriginX in pixels of unknown size, expected rlnMagnification and rlnDetectorPixelSize"
    ):
        run(path)
    assert run(path, shift_key="none") == [True]


@pytest.mark.parametrize(("angles", "expected"), [([(0, 0), (0, 0)], "alignments2D"), ([(0, 0), (0, 5)], "alignments3D")])
def test_varying_angles_tell_whose_the_origins_are(tmp_path: Path, angles: list[tuple[int, int]], expected: str) -> None:
    rows = [(i, 0, "m", 1.0, *angle) for i, angle in enumerate(angles)]
    path = star(tmp_path / "p.star", rows, "CoordinateX CoordinateY MicrographName OriginXAngst AngleRot AngleTilt")
    result = deduplicate_particles(path, ParticleParams(pixel_size_a=1))
    assert result.centres.shift_key == expected


def test_z_counts(tmp_path: Path) -> None:
    rows = [(0, 0, 0, "t.tomostar"), (0, 0, 30, "t.tomostar"), (0, 0, 31, "t.tomostar")]
    path = star(tmp_path / "p.star", rows, "CoordinateX CoordinateY CoordinateZ MicrographName")
    assert run(path) == [True, True, False]


def test_centred_coordinates_need_no_pixel_size(tmp_path: Path) -> None:
    columns = "TomoName CenteredCoordinateXAngst CenteredCoordinateYAngst CenteredCoordinateZAngst"
    path = star(tmp_path / "p.star", [("t", -50, 0, 0), ("t", -40, 0, 0), ("u", -50, 0, 0)], columns)
    assert deduplicate_particles(path).kept.tolist() == [True, False, True]


def test_subtomogram_angles_turn_the_origin(tmp_path: Path) -> None:
    """RELION: position = coordinate - A origin; a turn by 90° about z takes an origin along x to y, by RELION's matrix to minus y."""
    columns = (
        "TomoName CenteredCoordinateXAngst CenteredCoordinateYAngst CenteredCoordinateZAngst OriginXAngst OriginYAngst OriginZAngst"
        " TomoSubtomogramRot TomoSubtomogramTilt TomoSubtomogramPsi AngleTilt"
    )
    rows = [("t", 0, 0, 0, 10, 0, 0, 90, 0, 0, 1), ("t", 0, 0, 0, 0, 0, 10, 0, 90, 0, 2), ("t", 0, 0, 0, 1, 2, 3, 0, 0, 0, 3)]
    path = star(tmp_path / "p.star", rows, columns)
    result = deduplicate_particles(path, ParticleParams(min_separation_a=1))
    np.testing.assert_allclose(result.coordinates_a, [[0, 10, 0], [10, 0, 0], [-1, -2, -3]], atol=1e-9)


def test_a_distance_of_zero_compares_what_is_stored(tmp_path: Path) -> None:
    columns = "CoordinateX CoordinateY MicrographName OriginXAngst"
    path = star(tmp_path / "p.star", [(2.1, 0, "m", 0), ("21e-1", 0, "m", 0), (2.1, 0, "m", 3), (2.1000001, 0, "m", 0)], columns)
    assert run(path, min_separation_a=0, shift_key="none") == [True, False, False, True]
    assert run(path, min_separation_a=0) == [True, False, True, True]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEAD + "m 0 0\nm 1\n", "p.star, line 8: found a row of 2 cells, expected 3"),
        (HEAD + "m 0 0\nm one 2\n", "p.star, line 8: rlnCoordinateX: found 'one', expected a number"),
        (
            HEAD + "m 0 0\nm nan 2\nm inf 2\n",
            "p.star, line 8: found a centre at x nan y 2 Å, expected finite coordinates and shifts; 1 other is also not finite",
        ),
        (HEAD + "m 0 0\nm inf 2\n", "p.star, line 8: found a centre at x inf y 2 Å"),
        (HEAD + "m <NA> 0\n", "p.star, line 7: found a centre at x nan y 0 Å"),
        (
            HEAD.replace("_rlnCoordinateY #3\n", "") + "m 0\n",
            "p.star: found no location columns in data_particles, expected rlnCoordinateX and rlnCoordinateY",
        ),
        (
            HEAD.replace("particles", "a") + "m 0 0\n" + HEAD.replace("particles", "b") + "m 0 0\n",
            "p.star: found 2 tables with coordinates (data_a, data_b)",
        ),
        ("x,y\n1,2\n", "p.star: found 'x,y' at its start, expected RELION or STOPGAP .star"),
        ("", "p.star: found an empty file, expected RELION or STOPGAP .star"),
    ],
)
def test_bad_files(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        run(text(tmp_path, content))
    assert message in str(error.value)


@needs_shared
def test_every_real_file_is_read_and_all_rows_are_the_file(real: Path, tmp_path: Path) -> None:
    paths = sorted(real.rglob("*.star")) + sorted(real.rglob("*.cbox"))
    assert len(paths) > 40
    for path in paths:
        (file,) = open_star([path])
        for table in file.tables:
            everything = np.ones(len(table.rows), bool)
            StarOutput(file, table).write(Destination(tmp_path, tmp_path), "all", everything, [], SILENT)
            assert (tmp_path / "all_kept.star").read_bytes() == path.read_bytes(), path
            StarOutput(file, table).write(Destination(tmp_path, tmp_path), "none", ~everything, [], SILENT)
            assert (tmp_path / "none_rejected.star").read_bytes() == path.read_bytes(), path


@needs_shared
def test_values_are_those_of_starfile(real: Path) -> None:
    compared = 0
    for path in sorted(real.rglob("*.star")):
        try:
            oracle = starfile.read(path, always_dict=True)
        except Exception:
            continue
        labels = {str(label) for frame in oracle.values() for label in getattr(frame, "columns", ())}
        numeric = {
            label
            for label in labels
            if all(_is_numeric(frame, label) for frame in oracle.values() if label in getattr(frame, "columns", ()))
        }
        (file,) = open_star([path], numbers=numeric, names=labels - numeric)
        for table in file.tables:
            frame = oracle.get(table.block)
            if frame is None or not table.labels or list(frame.columns) != table.labels:
                continue
            for label in table.labels:
                column = table.columns[label]
                if label in numeric:
                    np.testing.assert_array_equal(column, frame[label].to_numpy(float), err_msg=f"{path} {label}")
                else:
                    texts = [column[1][i].decode() for i in column[0]]
                    assert texts == [str(value) for value in frame[label]] or label in ("rlnTomoVisibleFrames",), (path, label)
                compared += len(column if label in numeric else column[0])
    assert compared > 300_000


def _is_numeric(frame: object, label: str) -> bool:
    return frame[label].dtype.kind in "iuf"


def test_comments_behind_rows_of_small_tables(tmp_path: Path) -> None:
    groups = optics((1, "opticsGroup1", "1.0 # from job 3"))
    path = star(tmp_path / "p.star", [(0, 0, "m", 1)], "CoordinateX CoordinateY MicrographName OpticsGroup", groups)
    assert deduplicate_particles(path).kept.tolist() == [True]


@pytest.mark.parametrize("field", ["rlnAngleRot", "rlnOpticsGroup", "rlnMicrographPixelSize"])
def test_a_score_that_is_read_for_something_else_too(tmp_path: Path, field: str) -> None:
    columns = "CoordinateX CoordinateY MicrographName AngleRot OpticsGroup MicrographPixelSize"
    path = star(tmp_path / "p.star", [(0, 0, "m", 1, 1, 1), (0, 0, "m", 2, 2, 2)], columns, optics((1, "o", 1.0), (2, "p", 2.0)))
    assert run(path, score_field=field, score_order="higher", pixel_size_a=None) == [False, True]


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("pipe", "loop", "a\0b"):
        with pytest.raises(InputError):
            run(tmp_path / name)
