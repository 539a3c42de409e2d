"""Tables in memory: what starfile.read and cryosparc.dataset.Dataset.load return."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest
import starfile

from cases import cs, needs_shared, optics, records, star
from cryodedup import InputError, ParticleParams, deduplicate, deduplicate_particles

COLUMNS = "CoordinateX CoordinateY MicrographName OpticsGroup AutopickFigureOfMerit"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return star(
        tmp_path / "p.star", [(0, 0, "0012", 1, 0.1), (1, 0, "0012", 1, 0.9), (1, 0, "0013", 1, 0.5)], COLUMNS, optics((1, "o", 2.0))
    )


def test_what_starfile_reads(path: Path) -> None:
    tables = starfile.read(path)
    result = deduplicate_particles(tables)
    assert result.kept.tolist() == [False, True, True]
    kept = result.kept_table()
    assert kept["particles"].equals(tables["particles"][[False, True, True]])
    assert kept["optics"].equals(tables["optics"])
    frame = tables["particles"]
    with pytest.raises(InputError, match="found one table twice among the inputs"):
        deduplicate_particles([frame, frame], pixel_size_a=1)
    result = deduplicate_particles([frame, frame.copy()], ParticleParams(pixel_size_a=1, priority="input"))
    assert result.kept.tolist() == [False, True, True, False, False, False]
    assert len(result.kept_table(1)) == 0
    with pytest.raises(InputError, match="kept_table: found input 2, expected 0 to 1"):
        result.kept_table(2)


def test_optics_of_one_group_as_starfile_reads_them(path: Path) -> None:
    tables = starfile.read(path)
    tables["optics"] = tables["optics"].iloc[0].to_dict()
    assert deduplicate_particles(tables).kept.tolist() == [False, True, True]


def test_the_function_for_arrays_takes_tables(path: Path) -> None:
    tables = starfile.read(path)
    found = deduplicate(tables, min_separation_a=20)
    assert found.kept.tolist() == [False, True, True]
    assert (found.rejected.tolist(), found.duplicate_of.tolist(), found.distances_a.tolist()) == ([0], [1], [2.0])
    with pytest.raises(InputError, match="found groups, scores or priority with a table"):
        deduplicate(tables, groups=[1, 1, 1])


def test_gaps_and_floats_in_tables(path: Path) -> None:
    tables = starfile.read(path)
    tables["optics"]["rlnOpticsGroup"] = tables["optics"]["rlnOpticsGroup"].astype(float)
    assert deduplicate_particles(tables).kept.tolist() == [False, True, True]
    tables["particles"].loc[1, "rlnMicrographName"] = None
    with pytest.raises(InputError, match="table, row 1: rlnMicrographName: found nothing, expected a value"):
        deduplicate_particles(tables)


def test_structured_arrays(tmp_path: Path) -> None:
    array = records([(0, 0), (5, 0), (100, 0)], ncc_score=[0.1, 0.9, 0.5])
    result = deduplicate_particles(array)
    assert result.kept.tolist() == [False, True, True]
    assert result.kept_table().tobytes() == array[1:].tobytes()


def test_datasets(tmp_path: Path) -> None:
    dataset = pytest.importorskip("cryosparc.dataset", reason="needs the extra [cryosparc]").Dataset
    loaded = dataset.load(cs(tmp_path / "p.cs", records([(0, 0), (5, 0), (100, 0)], ncc_score=[0.1, 0.9, 0.5])))
    result = deduplicate_particles(loaded)
    assert result.kept.tolist() == [False, True, True]
    assert result.kept_table()["uid"].tolist() == [2, 3]


def test_tables_are_written(path: Path, tmp_path: Path) -> None:
    tables = starfile.read(path)
    result = deduplicate_particles(tables)
    names = [one.name for one in result.write(tmp_path / "out", report=False)]
    assert names == ["duplicates.csv", "particles_kept.star", "particles_rejected.star", "summary.json"]
    written = [starfile.read(tmp_path / "out" / f"particles_{word}.star") for word in ("kept", "rejected")]
    assert [len(one["particles"]) for one in written] == [2, 1]
    assert written[0]["particles"]["rlnCoordinateX"].tolist() == tables["particles"]["rlnCoordinateX"][1:].tolist()
    assert written[0]["optics"].equals(tables["optics"])
    frame = tables["particles"]
    two = deduplicate_particles([frame, frame.copy()], pixel_size_a=1, priority="input").write(tmp_path / "two", report=False)
    assert [one.name for one in two if "kept" in one.name] == ["table_1_kept.star", "table_2_kept.star"]
    odd = deduplicate_particles(frame.assign(**{"my note": "a"}), pixel_size_a=1)
    with pytest.raises(InputError, match="found the column 'my note', expected a name without blanks"):
        odd.write(tmp_path / "odd", report=False)
    assert not (tmp_path / "odd").exists()


def test_tables_that_cannot_be_read_as_particles(path: Path) -> None:
    frame = starfile.read(path)["particles"]
    for other in (polars.from_pandas(frame), pyarrow.Table.from_pandas(frame)):
        with pytest.raises(InputError, match=r"expected a pandas DataFrame; convert it by to_pandas\(\)|expected one"):
            deduplicate_particles(other, pixel_size_a=1)
    xy = frame[["rlnCoordinateX", "rlnCoordinateY"]].set_axis(["x", "y"], axis=1)
    with pytest.raises(InputError, match="groups: found another index than that of coordinates_a"):
        deduplicate(xy, groups=frame["rlnMicrographName"][::-1])
    twice = xy.set_axis(["rlnCoordinateX", "rlnCoordinateX"], axis=1)
    with pytest.raises(InputError, match="found the column rlnCoordinateX twice"):
        deduplicate(twice)


@pytest.mark.parametrize("as_dataset", [False, True])
def test_records_are_written_as_a_dataset_with_its_group(tmp_path: Path, as_dataset: bool) -> None:
    array = records([(0, 0), (5, 0), (100, 0)], ncc_score=[0.1, 0.9, 0.5])
    table = array
    if as_dataset:
        table = pytest.importorskip("cryosparc.dataset", reason="needs the extra [cryosparc]").Dataset.load(cs(tmp_path / "p.cs", array))
    names = [one.name for one in deduplicate_particles(table).write(tmp_path / "out", report=False)]
    assert names[1:5] == ["particles_kept.cs", "particles_kept.csg", "particles_rejected.cs", "particles_rejected.csg"]
    kept = np.load(tmp_path / "out/particles_kept.cs")
    assert all(kept[name].tolist() == array[1:][name].tolist() for name in array.dtype.names)
    again = deduplicate_particles(tmp_path / "out/particles_kept.csg")
    assert again.kept.tolist() == [True, True]


def test_half_sets_of_a_table_are_not_repaired_in_a_file(path: Path, tmp_path: Path) -> None:
    halves = starfile.read(path)
    halves["particles"]["rlnRandomSubset"] = [1, 2, 1]
    with pytest.raises(InputError, match="found a table, expected files to write; put repaired_halves into the table"):
        deduplicate_particles(halves, ParticleParams(half_sets="repair")).write(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_uids_of_a_structured_array_have_their_type() -> None:
    array = records([(0, 0), (5, 0)])
    other = array.astype([(name, "<f4" if name == "uid" else array.dtype[name]) for name in array.dtype.names])
    with pytest.raises(InputError, match="uid: found type float32, expected uint64"):
        deduplicate_particles(other)


def test_kept_rows_of_a_file_are_what_starfile_reads_and_names_stay_text(tmp_path: Path) -> None:
    columns = "CoordinateX CoordinateY MicrographName OpticsGroup"
    path = star(tmp_path / "p.star", [(0, 0, "0012", 1), (1, 0, "0012", 1), (900, 0, "0012", 1)], columns, optics((1, "007", 1.0)))
    kept = deduplicate_particles(path).kept_table()
    assert list(kept) == ["optics", "particles"]
    assert kept["particles"]["rlnCoordinateX"].tolist() == [0, 900]
    assert kept["particles"]["rlnMicrographName"].tolist() == ["0012", "0012"]
    assert kept["optics"]["rlnOpticsGroupName"].tolist() == ["007"]
    plain = star(tmp_path / "q.star", [(0, 0, "m"), (1, 0, "m")])
    assert len(deduplicate_particles(plain, ParticleParams(pixel_size_a=1.0)).kept_table()) == 1
    picks = tmp_path / "p.box"
    picks.write_text("0\t0\t10\t10\n1\t0\t10\t10\n")
    with pytest.raises(InputError, match=r"p\.box: kept_table: found .*, expected a STAR file, a dataset or a table"):
        deduplicate_particles(picks, pixel_size_a=1.0).kept_table()


def test_kept_records_of_a_file_have_the_fields_of_its_passthrough_too(tmp_path: Path) -> None:
    array = records([(0, 0), (5, 0), (100, 0)], ncc_score=[0.1, 0.9, 0.5])
    assert deduplicate_particles(cs(tmp_path / "p.cs", array)).kept_table().tobytes() == array[1:].tobytes()
    other = np.zeros(3, [("uid", "<u8"), ("blob/idx", "<u4")])
    other["uid"], other["blob/idx"] = array["uid"][::-1], [30, 20, 10]
    kept = deduplicate_particles([tmp_path / "p.cs", cs(tmp_path / "passthrough.cs", other)]).kept_table()
    found = {int(one["uid"]): (float(one["location/center_x_frac"]), int(one["blob/idx"])) for one in kept}
    expected = {int(one["uid"]): (float(one["location/center_x_frac"]), idx) for one, idx in zip(array[1:], (20, 30), strict=True)}
    assert found == expected


def test_a_kept_table_of_a_dataset_is_of_the_file_that_was_read(tmp_path: Path) -> None:
    path = cs(tmp_path / "p.cs", records([(0, 0), (5, 0), (100, 0)]))
    result = deduplicate_particles(path)
    cs(path, records([(0, 0), (5, 0), (100, 0)], ncc_score=[0.1, 0.9, 0.5]))
    with pytest.raises(InputError, match=r"p\.cs: found .*changed"):
        result.kept_table()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t["particles"].drop(columns="rlnCoordinateY"), "table: found no location columns"),
        (lambda t: t["particles"].assign(rlnCoordinateX="here"), "table: rlnCoordinateX: could not convert string to float"),
        (lambda t: t["particles"].assign(rlnCoordinateX=[0, np.nan, 1]), "table, row 1: found a centre at x nan y 0 Å"),
        (lambda t: {"a": t["optics"]}, "table: found 0 tables with coordinates among a, expected 1"),
        (lambda t: [], "found 0 paths among 0 inputs"),
        (lambda t: [t["particles"], "x.star"], "found 1 paths among 2 inputs, expected one or more, all paths or all tables"),
    ],
)
def test_bad_tables(path: Path, change: object, message: str) -> None:
    with pytest.raises(InputError) as error:
        deduplicate_particles(change(starfile.read(path)), ParticleParams(pixel_size_a=1))
    assert message in str(error.value)


@needs_shared
def test_a_real_table_is_chosen_from_as_its_file(real: Path) -> None:
    path = real / "em-testdata" / "run_it025_data.star"
    params = ParticleParams(min_separation_a=150)
    from_table, from_file = deduplicate_particles(starfile.read(path), params), deduplicate_particles(path, params)
    np.testing.assert_array_equal(from_table.kept, from_file.kept)
    assert not from_file.kept.all()


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_a_data_frame_of_coordinates_alone_is_taken_as_an_array(kind: str) -> None:
    columns = {"x": [0.0, 3.0, 100.0], "y": [0.0, 4.0, 0.0]}
    module = import_module(kind)
    frame = module.table(columns) if kind == "pyarrow" else module.DataFrame(columns)
    assert deduplicate(frame, min_separation_a=5, scores=[1, 2, 3]).kept.tolist() == [False, True, True]


def test_coordinates_of_relion_alone_are_said_to_be_taken_as_angstrom(path: Path) -> None:
    frame = starfile.read(path)["particles"]
    coordinates = frame[["rlnCoordinateX", "rlnCoordinateY"]]
    with pytest.warns(UserWarning, match="are taken as Å"):
        assert deduplicate(coordinates, min_separation_a=20).kept.tolist() == [True, False, False]
    with pytest.raises(InputError, match="found the column rlnAutopickFigureOfMerit beside rlnCoordinateX"):
        deduplicate(frame[["rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit"]])
    named = frame.assign(rlnMicrographName=[1, 2, 3])[["rlnCoordinateX", "rlnCoordinateY", "rlnMicrographName"]]
    with pytest.raises(InputError, match="pixel size"):  # a table of particles
        deduplicate(named)


def test_a_written_table_gives_the_same_numbers_and_texts_back(tmp_path: Path) -> None:
    """starfile by itself rounds to six decimals: a beam tilt of 1e-9 would be 0."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "rlnMicrographName": ["0012", "a b.mrc"] * 100,
            "rlnCoordinateX": rng.uniform(0, 4000, 200),
            "rlnCoordinateY": rng.uniform(0, 4000, 200),
            "rlnBeamTiltX": 10.0 ** rng.uniform(-300, 300, 200),
            "rlnDefocusU": rng.normal(size=200).astype(np.float32),
            "rlnClassNumber": rng.integers(-(2**60), 2**60, 200),
            "rlnCtfMaxResolution": np.where(rng.random(200) < 0.1, np.nan, 3.5),
        }
    )
    result = deduplicate_particles(frame, pixel_size_a=1, min_separation_a=50)
    result.write(tmp_path / "out", report=False)
    read = starfile.read(tmp_path / "out" / "particles_kept.star", parse_as_string=["rlnMicrographName"])
    kept = frame[result.kept].reset_index(drop=True)
    assert 0 < len(kept) < 200
    for name in frame:
        assert np.array_equal(read[name].astype(kept[name].dtype), kept[name], equal_nan=kept[name].dtype.kind == "f"), name
    again = deduplicate_particles(tmp_path / "out" / "particles_kept.star", pixel_size_a=1, min_separation_a=50)
    assert again.kept.all()


@pytest.mark.parametrize(
    "notes",
    [
        *(["ok", text] for text in ("#no", '"q', 'a"b', "x\ty", "x\ny", "_l", "data_x", None, float("nan"), [1, 2], True)),
        [True, False],
        [1j, 2],
        pd.array([1, pd.NA], "Int64"),
        pd.to_datetime(["2026-01-01", "2026-01-02"]),
    ],
)
def test_values_that_a_star_file_cannot_hold_are_refused(notes: object, tmp_path: Path) -> None:
    frame = pd.DataFrame({"rlnMicrographName": ["a", "b"], "rlnCoordinateX": [1, 2], "rlnCoordinateY": [1, 2], "rlnNote": notes})
    with pytest.raises(InputError, match=r"^table: rlnNote: found .*, expected a number, or a text that a STAR file can hold$"):
        deduplicate_particles(frame, pixel_size_a=1).write(tmp_path / "out", report=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("notes", "written"),
    [
        (["ok", ""], ["ok", '""']),
        (["a", 3], ["a", "3"]),
        ([1, 2.5], ["1.0", "2.5"]),
        (pd.array([1, 2], "Int64"), ["1", "2"]),
        (pd.array([0.5, pd.NA], "Float64"), ["0.5", "nan"]),
    ],
)
def test_other_values_are_written(notes: object, written: list[str], tmp_path: Path) -> None:
    frame = pd.DataFrame({"rlnMicrographName": ["a", "b"], "rlnCoordinateX": [1, 2], "rlnCoordinateY": [1, 2], "rlnNote": notes})
    deduplicate_particles(frame, pixel_size_a=1).write(tmp_path / "out", report=False)
    words = (tmp_path / "out" / "particles_kept.star").read_text().split()
    assert words[-8:][3::4] == written


def test_a_block_of_single_values_is_written(tmp_path: Path) -> None:
    particles = pd.DataFrame({"rlnMicrographName": ["a", "b"], "rlnCoordinateX": [1, 2], "rlnCoordinateY": [1, 2]})
    general = {"rlnA": np.int64(5), "rlnB": 0.25, "rlnC": "text", "rlnD": np.float64("nan"), "rlnE": 3}
    deduplicate_particles({"general": general, "particles": particles}, pixel_size_a=1).write(tmp_path / "out", report=False)
    words = (tmp_path / "out" / "particles_kept.star").read_text().split()
    assert [words[words.index(f"_{name}") + 1] for name in general] == ["5", "0.25", "text", "nan", "3"]


def test_what_is_easily_taken_for_a_table_says_what_to_pass_instead() -> None:
    table = pd.DataFrame({"rlnCoordinateX": [1.0, 2.0], "rlnCoordinateY": [1.0, 2.0], "rlnMicrographName": ["m", "m"]})
    blocks = {"optics": pd.DataFrame({"rlnOpticsGroup": [1]}), "particles": table}
    row = {name: table[name][0] for name in table}
    record = np.zeros(1, [("uid", "u8"), ("location/center_x_frac", "f4")])[0]
    for given, message in (
        (table.iloc[0], "found a Series: one row or one column of a table, expected a table: table.iloc[[i]] for one particle"),
        (row, "found a dict of single values, one row of a table, expected a table: pandas.DataFrame([row])"),
        (table.to_dict("list"), "found a dict of columns, expected a table: pandas.DataFrame(columns)"),
        ({"a": blocks, "b": blocks}, "found a dict of 2 dicts, expected one dict of tables, or several in a list: list(tables.values())"),
        (
            {"a": table, "b": table},
            "found 2 tables with coordinates among a, b, expected 1; give several sets of particles as a list of tables",
        ),
        (record, "found one record of an array, expected an array: array[i:i + 1] for one particle"),
    ):
        for function in (deduplicate_particles, deduplicate):
            with pytest.raises(InputError, match=re.escape(message)):
                function(given)
    with pytest.raises(InputError, match="found a list of 2 dicts, expected one table"):
        deduplicate([blocks, dict(blocks)])
    assert len(deduplicate_particles(table.iloc[[0]], pixel_size_a=1.0).kept) == 1
    assert len(deduplicate_particles([blocks, dict(blocks)], pixel_size_a=1.0).kept) == 4
