"""CryoSPARC datasets: fields, joining, groups, damaged files."""

from __future__ import annotations

import contextlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import yaml

from cases import cs, needs_shared, records, star
from cryodedup import InputError, ParticleParams, deduplicate_particles
from cryodedup.formats import csdat
from cryodedup.formats.cryosparc import NpyFile

ALIGNMENTS = [("alignments3D/shift", "<f4", (2,)), ("alignments3D/psize_A", "<f4")]


def run(path: Path | list[Path], **params: object) -> list[bool]:
    return deduplicate_particles(path, ParticleParams(**params)).kept.tolist()


def test_centres_shape_is_rows_first_and_shifts_are_subtracted(tmp_path: Path) -> None:
    array = records([(1000, 500), (1000, 500)], ALIGNMENTS)
    array["alignments3D/shift"] = [(10, 0), (0, 5)]
    array["alignments3D/psize_A"] = 2
    array["location/micrograph_psize_A"] = 0.5
    result = deduplicate_particles(cs(tmp_path / "p.cs", array), ParticleParams(min_separation_a=1))
    np.testing.assert_allclose(result.coordinates_a, [[480, 250], [500, 240]])
    assert result.centres.shift_key == "alignments3D"


def test_kept_records_and_groups_are_written_raw(tmp_path: Path) -> None:
    array = records([(0, 0), (5, 0), (100, 0)], ncc_score=[0.1, 0.9, 0.5])
    result = deduplicate_particles(cs(tmp_path / "p.cs", array))
    assert result.kept.tolist() == [False, True, True]
    result.write(tmp_path / "out")
    kept, rejected = (np.load(tmp_path / "out" / f"particles_{name}.cs") for name in ("kept", "rejected"))
    assert kept.dtype == array.dtype
    assert kept.tobytes() == array[1:].tobytes()
    assert rejected.tobytes() == array[:1].tobytes()
    group = yaml.safe_load((tmp_path / "out" / "particles_kept.csg").read_text())
    assert group["results"]["location"] == {"metafile": ">particles_kept.cs", "num_items": 2, "type": "particle.location"}
    again = deduplicate_particles(tmp_path / "out" / "particles_kept.csg")
    assert again.kept.all()
    assert len(again.kept) == 2


def test_all_kept_is_the_file(tmp_path: Path) -> None:
    path = cs(tmp_path / "p.cs", records([(0, 0), (100, 0)]))
    deduplicate_particles(path).write(tmp_path / "out")
    assert (tmp_path / "out" / "particles_kept.cs").read_bytes() == path.read_bytes()


def split_job(tmp_path: Path) -> tuple[Path, Path]:
    """A main file without locations, and a passthrough file with them in another order."""
    main = np.zeros(3, [("uid", "<u8"), *ALIGNMENTS])
    main["uid"] = [3, 1, 2]
    main["alignments3D/psize_A"] = 1
    main["alignments3D/shift"] = [(0, 0), (0, 0), (95, 0)]
    return cs(tmp_path / "main.cs", main), cs(tmp_path / "passthrough.cs", records([(0, 0), (100, 0), (500, 0)]))


def test_main_and_passthrough_are_joined_on_uid(tmp_path: Path) -> None:
    main, passthrough = split_job(tmp_path)
    for inputs in ([main, passthrough], [passthrough, main]):
        result = deduplicate_particles(inputs)
        assert len(result.sources) == 1
        np.testing.assert_allclose(result.coordinates_a, [[500, 0], [0, 0], [5, 0]], atol=1e-3)
        assert result.kept.tolist() == [True, True, False]
    result.write(tmp_path / "out")
    assert np.load(tmp_path / "out" / "particles_kept.cs")["uid"].tolist() == [3, 1]
    assert np.load(tmp_path / "out" / "particles_kept_passthrough.cs")["uid"].tolist() == [1, 3]
    assert deduplicate_particles(tmp_path / "out" / "particles_kept.csg").kept.tolist() == [True, True]


def test_a_group_names_both(tmp_path: Path) -> None:
    split_job(tmp_path)
    slots = {"alignments3D": "main.cs", "location": "passthrough.cs", "pick_stats": "passthrough.cs"}
    group = {
        "created": "2026-01-01",
        "group": {"name": "particles", "type": "particle"},
        "results": {slot: {"metafile": f">{name}", "num_items": 3, "type": f"particle.{slot}"} for slot, name in slots.items()},
        "version": "v4.4.1",
    }
    path = tmp_path / "job.csg"
    path.write_text(yaml.safe_dump(group))
    result = deduplicate_particles(path)
    assert result.kept.tolist() == [True, True, False]
    result.write(tmp_path / "out")
    rejected = yaml.safe_load((tmp_path / "out" / "particles_rejected.csg").read_text())
    assert rejected["results"]["pick_stats"] == {
        "metafile": ">particles_rejected_passthrough.cs",
        "num_items": 1,
        "type": "particle.pick_stats",
    }
    assert rejected["group"] == {**group["group"], "title": "Particles rejected"}


def test_different_particles_can_not_be_joined(tmp_path: Path) -> None:
    main, passthrough = split_job(tmp_path)
    array = np.load(main)
    array["uid"][0] = 99
    cs(main, array)
    with pytest.raises(InputError, match=r"found 2 of its 3 particles \(by uid\) in .*, which is the passthrough file of another job"):
        run([main, passthrough])
    group = {"results": {"alignments3D": {"metafile": ">main.cs"}, "location": {"metafile": ">passthrough.cs"}}}
    (tmp_path / "job.csg").write_text(yaml.safe_dump(group))
    with pytest.raises(InputError, match=r"passthrough.cs: found 3 rows, which lack 1 of the 3 of .*main.cs \(by uid\)"):
        run(tmp_path / "job.csg")


def test_a_repeated_uid_is_a_duplicate_wherever_it_is(tmp_path: Path) -> None:
    array = records([(0, 0), (1000, 0), (1005, 0), (3000, 0)], ncc_score=[0.5, 0.9, 0.95, 0.1])
    array["uid"] = [1, 1, 2, 3]
    result = deduplicate_particles(cs(tmp_path / "p.cs", array))
    assert result.kept.tolist() == [False, False, True, True]
    assert result.selection.repeated_uids == 1
    assert result.duplicate_of.tolist() == [2, 2]  # the better one of uid 1 duplicates uid 2
    assert run(tmp_path / "p.cs", remove_entirely=True) == [False, False, False, True]
    array["location/center_x_frac"] = np.array([0, 1000, 5000, 1010]) / 8000  # the last has a duplicate only in the copy of the first
    assert run(cs(tmp_path / "q.cs", array), remove_entirely=True) == [False, False, True, False]


def test_files_of_equal_fields_are_joined(tmp_path: Path) -> None:
    first, second = records([(0, 0), (100, 0)], ncc_score=0.5), records([(5, 0), (900, 0)], ncc_score=[0.9, 0.1])
    second["uid"] += 10
    paths = [cs(tmp_path / "a.cs", first), cs(tmp_path / "b.cs", second)]
    result = deduplicate_particles(paths, ParticleParams(normalize_scores="none"))
    assert result.kept.tolist() == [False, True, True, True]
    result.write(tmp_path / "out")
    kept = np.load(tmp_path / "out" / "particles_kept.cs")
    assert kept.tobytes() == first[1:].tobytes() + second.tobytes()
    second = records([(5, 0)], [("extra/field", "<f4")])
    result = deduplicate_particles([paths[0], cs(tmp_path / "c.cs", second)])
    result.write(tmp_path / "two")
    assert {"a_kept.cs", "a_kept.csg", "c_kept.cs"} <= {path.name for path in (tmp_path / "two").iterdir()}


def test_undoing_a_symmetry_expansion(tmp_path: Path) -> None:
    expanded = records([(0, 0), (0, 0), (5, 0), (5, 0)], [*ALIGNMENTS, ("sym_expand/src_uid", "<u8"), ("sym_expand/idx", "<u4")])
    expanded["alignments3D/shift"] = RNG.random((4, 2))
    expanded["sym_expand/src_uid"] = [10, 10, 11, 10]
    path = cs(tmp_path / "p.cs", expanded)
    assert run(path, undo_symmetry_expansion=True) == [True, False, True, False]
    without = records([(0, 0), (0, 0), (5, 0)], ALIGNMENTS)
    without["alignments3D/psize_A"] = 1
    without["alignments3D/shift"] = RNG.random((3, 2))
    path = cs(tmp_path / "q.cs", without)
    assert run(path, undo_symmetry_expansion=True) == [True, False, True]
    assert run(path, min_separation_a=0) == [True, True, True]
    assert run(path, min_separation_a=0, shift_key="none") == [True, False, True]


RNG = np.random.default_rng(3)


@pytest.mark.parametrize("field", ["error", "alignments3D/error"])
def test_score_fields_by_full_or_short_name(tmp_path: Path, field: str) -> None:
    array = records([(0, 0), (1, 0)], [*ALIGNMENTS, ("alignments3D/error", "<f4")], error=[2, 1])
    array["alignments3D/psize_A"] = 1
    path = cs(tmp_path / "p.cs", array)
    assert run(path, score_field=field) == [False, True]
    assert run(path, score_field=field, score_order="higher") == [True, False]


def test_a_score_name_that_fits_two_fields(tmp_path: Path) -> None:
    path = cs(tmp_path / "p.cs", records([(0, 0)], [("alignments3D/error", "<f4"), ("alignments2D/error", "<f4")]))
    with pytest.raises(InputError, match="found alignments3D/error, alignments2D/error, expected one; give its full name"):
        run(path, score_field="error")


def test_header_longer_than_numpys_limit(tmp_path: Path) -> None:
    extra = [(f"a_rather_long_prefix_of_a_field/number_{i}", "<f4") for i in range(400)]
    path = cs(tmp_path / "p.cs", records([(0, 0), (1, 0)], extra))
    assert run(path) == [True, False]


def damaged(tmp_path: Path) -> dict[str, tuple[bytes, str]]:
    whole = cs(tmp_path / "whole.cs", records([(0, 0), (1, 0)])).read_bytes()
    objects = np.array([{"a": 1}], dtype=object)
    np.save(tmp_path / "o.npy", objects, allow_pickle=True)
    np.save(tmp_path / "plain.npy", np.zeros((3, 3)))
    no_shape = records([(0, 0), (1, 0)])
    no_shape["location/micrograph_shape"][1] = 0
    infinite = records([(0, 0), (1, 0)])
    infinite["location/center_y_frac"][1] = np.inf
    without = np.zeros(2, [("uid", "<u8"), ("blob/idx", "<u4")])
    return {
        "truncated": (whole[:-5], "p.cs: found 1 whole records, expected 2 as its header says; is it truncated?"),
        "header cut": (whole[:40], "p.cs: found a damaged NPY header"),
        "pickled": ((tmp_path / "o.npy").read_bytes(), "p.cs: found pickled objects, expected plain records"),
        "pickle": (pickle.dumps([1]), "p.cs: found a pickle, which is never read"),
        "not records": (
            (tmp_path / "plain.npy").read_bytes(),
            "p.cs: found an array of float64 of shape (3, 3), expected one record per particle",
        ),
        "no locations": (cs(tmp_path / "w.cs", without).read_bytes(), "p.cs: found no location fields (location/center_x_frac"),
        "unknown shape": (
            cs(tmp_path / "s.cs", no_shape).read_bytes(),
            "p.cs, row 1: location/micrograph_shape: found 0x0, expected the micrograph's sides",
        ),
        "infinite": (cs(tmp_path / "i.cs", infinite).read_bytes(), "p.cs, row 1: found a centre at x 1 y inf Å"),
        "parquet": (b"PAR1....", "p.cs: found a Parquet file"),
        "damaged stream": (b"\x95CSDAT123", "p.cs: "),
    }


@pytest.mark.parametrize(
    "case",
    [
        "truncated",
        "header cut",
        "pickled",
        "pickle",
        "not records",
        "no locations",
        "unknown shape",
        "infinite",
        "parquet",
        "damaged stream",
    ],
)
def test_damaged_files(tmp_path: Path, case: str) -> None:
    content, message = damaged(tmp_path)[case]
    path = tmp_path / "p.cs"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        run(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_header_that_promises_terabytes_allocates_nothing(tmp_path: Path) -> None:
    whole = cs(tmp_path / "p.cs", records([(0, 0)])).read_bytes()
    (tmp_path / "p.cs").write_bytes(whole.replace(b"(1,)", b"(9000000000000,)", 1).replace(b" " * 12, b"", 1))
    with pytest.raises(InputError, match="found 1 whole records, expected 9000000000000"):
        run(tmp_path / "p.cs")


@needs_shared
def test_a_real_header_of_106_fields(real: Path) -> None:
    file = NpyFile.open(real / "cryosparc_tools" / "4k_dataset.cs")
    assert (file.count, len(file.dtype.names or ())) == (0, 106)
    assert file.header(0) == (real / "cryosparc_tools" / "4k_dataset.cs").read_bytes()


@needs_shared
def test_csdat_gives_what_npy_gives(derived: Path, tmp_path: Path) -> None:
    dataset = pytest.importorskip("cryosparc.dataset", reason="needs the extra [cryosparc]").Dataset
    for stem in ("J10_em_testdata_particles", "J20_sppractice_particles"):
        npy = deduplicate_particles(derived / f"{stem}.csg", ParticleParams(min_separation_a=130))
        inputs = [derived / f"{stem}_csdat.cs", derived / f"{stem.replace('_particles', '_passthrough_particles')}.cs"]
        streamed = deduplicate_particles(inputs, ParticleParams(min_separation_a=130))
        np.testing.assert_array_equal(npy.kept, streamed.kept)
        assert not streamed.kept.all()
        streamed.write(tmp_path / stem)
        written = dataset.load(tmp_path / stem / "particles_kept.cs")
        assert (tmp_path / stem / "particles_kept.cs").read_bytes().startswith(b"\x95CSDAT")
        assert written == dataset.load(inputs[0]).mask(streamed.kept)
        again = deduplicate_particles(tmp_path / stem / "particles_kept.csg", ParticleParams(min_separation_a=130))
        assert again.kept.all()
        assert len(again.kept) == streamed.kept.sum()


def test_repeated_uids_in_main_and_passthrough(tmp_path: Path) -> None:
    main = np.zeros(4, [("uid", "<u8"), *ALIGNMENTS])
    main["uid"], main["alignments3D/psize_A"] = [5, 5, 6, 7], 1
    passthrough = records([(0, 0), (500, 0), (1000, 0), (1500, 0)])
    passthrough["uid"] = [7, 6, 5, 5]
    paths = [cs(tmp_path / "main.cs", main), cs(tmp_path / "passthrough.cs", passthrough)]
    result = deduplicate_particles(paths)
    assert result.kept.tolist() == [True, False, True, True]
    result.write(tmp_path / "out")
    kept = [np.load(tmp_path / "out" / f"particles_kept{name}.cs") for name in ("", "_passthrough")]
    assert [sorted(array["uid"].tolist()) for array in kept] == [[5, 6, 7]] * 2
    passthrough["uid"] = [7, 6, 6, 5]
    cs(paths[1], passthrough)
    with pytest.raises(InputError, match="found no location fields"):
        deduplicate_particles(paths)


def test_inputs_stay_in_order(tmp_path: Path) -> None:
    second = records([(0, 0)])
    second["uid"] = 99
    paths = [
        cs(tmp_path / "a.cs", records([(900, 0)])),
        star(tmp_path / "b.star", [(0, 0, "a.mrc")]),
        cs(tmp_path / "c.cs", second),
    ]
    result = deduplicate_particles(paths, ParticleParams(pixel_size_a=1, priority="input"))
    assert [source.picks.label for source in result.sources] == [str(path) for path in paths]
    assert result.kept.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("field", "dtype"),
    [
        ("location/micrograph_shape", (">u4", (2,))),
        ("location/micrograph_shape", ("<f8", (2,))),
        ("location/micrograph_shape", ("<u4", (3,))),
    ]
    + [("location/micrograph_psize_A", (kind, ())) for kind in (">f4", "<u4", "<f8", "S4")]
    + [("location/micrograph_uid", (">u8", ()))],
)
def test_fields_of_other_types_are_refused_not_reinterpreted(tmp_path: Path, field: str, dtype: tuple[str, tuple[int, ...]]) -> None:
    array = records([(0, 0), (1, 0)])
    other = np.zeros(2, [(name, *dtype) if name == field else (name, array.dtype[name]) for name in array.dtype.names])
    other["location/micrograph_shape"] = 2000
    for source in (cs(tmp_path / "p.cs", other), other):
        with pytest.raises(InputError, match=f"{field}: found type .*, expected"):
            deduplicate_particles(source)


def test_a_micrograph_uid_of_zero_is_none(tmp_path: Path) -> None:
    array = records([(0, 0), (0, 0)], micrograph_uid=0)
    array["location/micrograph_path"] = [b"a.mrc", b"b.mrc"]
    assert run(cs(tmp_path / "p.cs", array)) == [True, True]


def test_utf8_field_names_survive(tmp_path: Path) -> None:
    array = records([(0, 0), (1, 0)], [("zz日本/ä", "<f4")])
    with pytest.warns(UserWarning, match=r"format 3\.0"):
        path = cs(tmp_path / "p.cs", array)
    deduplicate_particles(path).write(tmp_path / "out")
    assert np.load(tmp_path / "out" / "particles_kept.cs").dtype == array.dtype


@pytest.mark.parametrize("psize", [0, -1])
def test_pixel_sizes_of_exposures_are_positive(tmp_path: Path, psize: float) -> None:
    exposures = np.zeros(1, [("uid", "<u8"), ("micrograph_blob/path", "S9"), ("micrograph_blob/psize_A", "<f4")])
    exposures["uid"], exposures["micrograph_blob/psize_A"] = 7, psize
    with pytest.raises(InputError, match="micrograph_blob/psize_A: found"):
        run(cs(tmp_path / "p.cs", records([(0, 0)])), micrographs=cs(tmp_path / "e.cs", exposures))


@pytest.mark.parametrize("descr", ["[('uid', '<u8'", "{[]: 1}", "('f4',)", "[]", "[('uid', 'V0')]"])
def test_damaged_headers(tmp_path: Path, descr: str) -> None:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}\n".encode()
    (tmp_path / "p.cs").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64))
    with pytest.raises(InputError):
        run(tmp_path / "p.cs")


@pytest.mark.parametrize(
    "text", ["created: 2024-99-99\n", "results: !!int abc\n", "results: {a: {metafile: 3}}\n", "[" * 5000, "results: 1\n"]
)
def test_damaged_groups(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.csg").write_text(text)
    with pytest.raises(InputError, match=r"p\.csg: found"):
        run(tmp_path / "p.csg")


def group(path: Path, **slots: tuple[str, int]) -> Path:
    """A .csg that names a file and a number of items for each slot."""
    results = {slot: {"metafile": f">{file}", "num_items": n, "type": f"particle.{slot}"} for slot, (file, n) in slots.items()}
    path.write_text(yaml.safe_dump({"group": {"type": "particle"}, "results": results}))
    return path


def test_a_slot_of_a_group_is_read_from_the_file_it_names(tmp_path: Path) -> None:
    """The main file has locations of its own, here those before re-centring; CryoSPARC takes them from the file of the slot."""
    near = records([(10, 0)] * 50, [("blob/idx", "<u4")])
    far = records([(40 * i, 0) for i in range(50)])[::-1]
    cs(tmp_path / "main.cs", near)
    cs(tmp_path / "passthrough.cs", far)
    of_main, of_far = (
        group(tmp_path / f"{name}.csg", blob=("main.cs", 50), location=(f"{name}.cs", 50)) for name in ("main", "passthrough")
    )
    assert sum(run(of_main)) == 1
    result = deduplicate_particles(of_far)
    assert result.kept.all()
    np.testing.assert_allclose(result.coordinates_a[:, 0], far["location/center_x_frac"][::-1] * 4000)
    np.testing.assert_array_equal(result.kept_table()["location/center_x_frac"], far["location/center_x_frac"][::-1])
    cs(tmp_path / "passthrough.cs", np.array([(uid,) for uid in far["uid"]], [("uid", "<u8")]))  # without the slot's fields
    with pytest.raises(InputError, match="found no location fields"):
        run(of_far)


def test_the_number_of_items_of_a_slot_is_checked(tmp_path: Path) -> None:
    cs(tmp_path / "p.cs", records([(0, 0), (100, 0)]))
    with pytest.raises(InputError, match=r"j\.csg: slot location: found 2 records in p\.cs, expected 5 \(num_items\)"):
        run(group(tmp_path / "j.csg", location=("p.cs", 5)))


def test_a_header_of_many_megabytes_is_refused(tmp_path: Path) -> None:
    header = b"{'descr': [('uid', '<u8')], 'fortran_order': False, 'shape': (1,), }" + b" " * (2 << 20) + b"\n"
    (tmp_path / "p.cs").write_bytes(b"\x93NUMPY\x02\x00" + len(header).to_bytes(4, "little") + header + bytes(8))
    with pytest.raises(InputError, match=r"found a damaged NPY header \([\d,]+ bytes long\)"):
        deduplicate_particles(tmp_path / "p.cs")


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    dataset = pytest.importorskip("cryosparc.dataset", reason="needs the extra [cryosparc]")
    array = records([(i, i) for i in range(50)], micrograph_path=[f"J2/{i % 7}.mrc".encode() for i in range(50)])
    plain = cs(tmp_path / "plain.cs", array)
    dataset.Dataset.load(plain).save(tmp_path / "p.cs", format=dataset.CSDAT_FORMAT)
    return tmp_path / "p.cs"


def test_no_truncated_stream_is_read(stream: Path) -> None:
    """Many of these end a process that gives them to cryosparc-tools."""
    whole = stream.read_bytes()
    assert csdat.load(stream)["uid"].tolist() == list(range(1, 51))
    ends_of_names = [place + 1 for place in range(len(whole) - 60, len(whole) - 1) if whole[place] == 0]
    for end in [*range(7, len(whole), 97), *ends_of_names[:3]]:
        stream.write_bytes(whole[:end])
        with pytest.raises(InputError, match=r"p\.cs: found a damaged CSDAT stream \(.+\), expected a CryoSPARC dataset"):
            csdat.load(stream)


def test_streams_with_changed_bytes_do_not_end_the_process(stream: Path) -> None:
    whole, rng = stream.read_bytes(), np.random.default_rng(3)
    for _ in range(8):
        changed = bytearray(whole)
        for place in rng.integers(10, len(whole), 4):
            changed[place] = rng.integers(256)
        stream.write_bytes(changed)
        with contextlib.suppress(InputError):  # of numbers there is no checksum
            assert len(csdat.load(stream)) == 50
