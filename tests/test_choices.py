"""Pixel sizes, shifts, scores and priorities: which is used, and that it is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cases import cs, optics, records, star
from cryodedup import InputError, ParticleParams, ParticleResult, deduplicate_particles

COLUMNS = "CoordinateX CoordinateY MicrographName OpticsGroup"


def run(paths: Path | list[Path], **params: object) -> ParticleResult:
    return deduplicate_particles(paths, ParticleParams(**params))


def sizes(result: ParticleResult, source: int = 0) -> list[tuple[object, object]]:
    return [(size["pixel_size_a"], size["found_in"]) for size in result.summary()["sources"][source]["pixel_sizes"]]


def micrographs(path: Path, rows: list[tuple[object, ...]], groups: str = "") -> Path:
    return star(path, rows, "MicrographName OpticsGroup", groups or optics((1, "o", 0.5), (2, "p", 2.0)), "micrographs")


def test_per_optics_group(tmp_path: Path) -> None:
    rows = [(100, 0, "m", 1), (100, 0, "m", 2), (25, 0, "m", 2)]
    result = run(star(tmp_path / "p.star", rows, COLUMNS, optics((1, "o", 0.5), (2, "p", 2.0))), min_separation_a=1)
    np.testing.assert_allclose(result.coordinates_a[:, 0], [50, 200, 50])
    assert sizes(result) == [(0.5, "rlnMicrographPixelSize"), (2.0, "rlnMicrographPixelSize")]


def test_never_the_images_pixel_size(tmp_path: Path) -> None:
    groups = optics((1, "o", 4.0), columns="OpticsGroup OpticsGroupName ImagePixelSize")
    path = star(tmp_path / "p.star", [(100, 0, "m", 1)], COLUMNS, groups)
    with pytest.raises(InputError, match="found no micrograph pixel size for optics group 1; give micrographs"):
        run(path)


def test_the_movies_pixel_size_is_used_with_a_warning_unless_the_user_gives_one(tmp_path: Path) -> None:
    groups = optics((1, "o", 0.4, 3.0), columns="OpticsGroup OpticsGroupName MicrographOriginalPixelSize ImagePixelSize")
    path = star(tmp_path / "p.star", [(100, 0, "m", 1)], COLUMNS, groups)
    result = run(path)
    assert sizes(result) == [(0.4, "rlnMicrographOriginalPixelSize")]
    assert "the pixel size of the movie before binning" in result.warnings[0]
    result = run(path, pixel_size_a=0.8)
    assert (sizes(result), result.warnings) == ([(0.8, "pixel_size_a")], ())


def test_micrographs_go_before_all(tmp_path: Path) -> None:
    path = star(tmp_path / "p.star", [(100, 0, "x/m.mrc", 1), (100, 0, "n.mrc", 1)], COLUMNS, optics((1, "o", 9.0)))
    listed = micrographs(tmp_path / "mics.star", [("MotionCorr/m.mrc", 1), ("n.mrc", 2)])
    result = run(path, micrographs=listed)
    np.testing.assert_allclose(result.coordinates_a[:, 0], [50, 200])
    assert sizes(result) == [(0.5, "micrographs"), (2.0, "micrographs")]
    partly = micrographs(tmp_path / "part.star", [("n.mrc", 2)])
    result = run(path, micrographs=partly)
    np.testing.assert_allclose(result.coordinates_a[:, 0], [900, 200])


def test_micrographs_from_a_dataset(tmp_path: Path) -> None:
    exposures = np.zeros(1, [("uid", "<u8"), ("micrograph_blob/path", "S60"), ("micrograph_blob/psize_A", "<f4")])
    exposures["uid"], exposures["micrograph_blob/psize_A"] = 7, 0.25
    exposures["micrograph_blob/path"] = b">J2/motioncorrected/000000000000000000007_a.mrc"
    listed = cs(tmp_path / "exposures.cs", exposures)
    array = records([(100, 0)])
    old = array[[name for name in array.dtype.names if name != "location/micrograph_psize_A"]]
    for path in (star(tmp_path / "p.star", [(100, 0, "a.mrc")]), cs(tmp_path / "old.cs", np.array(old.tolist(), _packed(old.dtype)))):
        np.testing.assert_allclose(run(path, micrographs=listed).coordinates_a, [[25, 0]], atol=1e-5)
        with pytest.raises(InputError, match="found no micrograph pixel size"):
            run(path)


def _packed(dtype: np.dtype) -> np.dtype:
    return np.dtype([(name, dtype[name]) for name in dtype.names])


def test_a_micrograph_that_the_list_does_not_name(tmp_path: Path) -> None:
    path = star(tmp_path / "p.star", [(0, 0, "m.mrc"), (0, 0, "n.mrc")])
    with pytest.raises(InputError, match=r"found no micrograph pixel size for micrograph n\.mrc, which micrographs does not name"):
        run(path, micrographs=micrographs(tmp_path / "mics.star", [("m.mrc", 1)]))


def test_a_users_pixel_size_that_is_not_used_is_said(tmp_path: Path) -> None:
    path = star(tmp_path / "p.star", [(100, 0, "m", 1)], COLUMNS, optics((1, "o", 0.5)))
    result = run(path, pixel_size_a=0.51)
    assert sizes(result) == [(0.5, "rlnMicrographPixelSize")]
    assert "pixel_size_a=0.51 not used: rlnMicrographPixelSize gives 0.5 Å" in result.warnings[0]
    with pytest.raises(InputError, match=r"optics group 1: found pixel_size_a=1, while rlnMicrographPixelSize gives 0.5 Å"):
        run(path, pixel_size_a=1.0)
    result = run(path, pixel_size_a=1.0, pixel_size_override=True)
    assert (sizes(result), result.coordinates_a[0, 0]) == ([(1.0, "pixel_size_override")], 100)
    assert "pixel size 1 Å used because of pixel_size_override, not 0.5 Å" in result.warnings[0]


def test_optics_group_that_is_not_listed(tmp_path: Path) -> None:
    path = star(tmp_path / "p.star", [(100, 0, "m", 3)], COLUMNS, optics((1, "o", 0.5)))
    with pytest.raises(InputError, match="found particles of optics group 3, expected one of data_optics: 1"):
        run(path)


ALIGNED2D = [("alignments2D/shift", "<f4", (2,)), ("alignments2D/psize_A", "<f4")]
ALIGNED3D = [("alignments3D/shift", "<f4", (2,)), ("alignments3D/psize_A", "<f4")]


def test_which_shifts_are_used(tmp_path: Path) -> None:
    both = cs(tmp_path / "both.cs", records([(0, 0)], [*ALIGNED2D, *ALIGNED3D]))
    second = records([(0, 0)], ALIGNED2D)
    second["uid"] = 9
    only_2d, neither = cs(tmp_path / "2d.cs", second), cs(tmp_path / "no.cs", records([(0, 0)]))
    assert run(both).centres.shift_key == "alignments3D"
    assert run(only_2d).centres.shift_key == "alignments2D"
    assert run([both, only_2d]).centres.shift_key == "none"  # class averages of different jobs have different centres
    assert run([both, only_2d], shift_key="alignments2D").centres.shift_key == "alignments2D"
    assert run(neither).centres.shift_key == "none"
    assert run(both, undo_symmetry_expansion=True).centres.shift_key == "none"
    with pytest.raises(InputError, match=r"no\.cs: found no shifts, expected alignments3D \(shift_key\) in every input"):
        run([both, neither], shift_key="alignments3D")


SCORED = "CoordinateX CoordinateY MicrographName AutopickFigureOfMerit NrOfSignificantSamples BeamTiltX"


def scored(tmp_path: Path, rows: list[tuple[float, int, float]], name: str = "p.star") -> Path:
    return star(tmp_path / name, [(i, 0, "m", *row) for i, row in enumerate(rows)], SCORED)


def test_which_score_is_used(tmp_path: Path) -> None:
    path = scored(tmp_path, [(0.1, 5, 1), (0.9, 9, 2), (0.5, 1, 3)])
    for field, expected in (
        ("auto", 1),
        ("rlnAutopickFigureOfMerit", 1),
        ("_rlnNrOfSignificantSamples", 2),
        ("NrOfSignificantSamples", 2),
        ("ncc_score", 1),
    ):
        result = run(path, pixel_size_a=1, score_field=field)
        assert np.flatnonzero(result.kept).tolist() == [expected], field
    assert run(path, pixel_size_a=1, score_field="rlnBeamTiltX", score_order="lower").kept.tolist() == [True, False, False]
    with pytest.raises(InputError, match='score_field="rlnBeamTiltX": it is not known if higher or lower is better'):
        run(path, pixel_size_a=1, score_field="rlnBeamTiltX")
    with pytest.raises(InputError, match=r"p\.star: found no column rlnScore \(score_field\), expected it in every input"):
        run(path, pixel_size_a=1, score_field="rlnScore")


def test_missing_and_constant_scores_are_told(tmp_path: Path) -> None:
    result = run(scored(tmp_path, [(-999, 5, 1), (0.5, 5, 1), (0.5, 5, 1)]), pixel_size_a=1)
    assert result.kept.tolist() == [False, True, False]
    assert result.summary()["sources"][0]["score"]["missing"] == 1
    assert "score rlnAutopickFigureOfMerit is 0.5 for every particle that has one" in result.warnings[0]
    result = run(scored(tmp_path, [(-999, 5, 1), (-999, 5, 1)]), pixel_size_a=1)
    assert "is missing for every particle" in result.warnings[0]
    assert result.kept.tolist() == [True, False]


def test_ranks_make_pickers_comparable(tmp_path: Path) -> None:
    low = scored(tmp_path, [(0.1, 0, 0), (0.2, 0, 0), (0.3, 0, 0)], "low.star")
    rows = [(100 + i, 0, "m", score, 0, 0) for i, score in enumerate((10, 20))] + [(2, 0, "m", 5, 0, 0)]
    high = star(tmp_path / "high.star", rows, SCORED)
    by_rank = run([low, high], pixel_size_a=1, min_separation_a=0.5)
    assert by_rank.kept.tolist() == [True, True, True, True, True, False]  # the best of one picker against the worst of the other
    by_score = run([low, high], pixel_size_a=1, min_separation_a=0.5, normalize_scores="none")
    assert by_score.kept.tolist() == [True, True, False, True, True, True]


def test_an_earlier_input_can_have_priority(tmp_path: Path) -> None:
    first, second = scored(tmp_path, [(0.1, 0, 0)], "a.star"), scored(tmp_path, [(0.9, 0, 0)], "b.star")
    assert run([first, second], pixel_size_a=1, priority="input").kept.tolist() == [True, False]
    assert run([first, second], pixel_size_a=1, normalize_scores="none").kept.tolist() == [False, True]
    assert run([second, first], pixel_size_a=1, priority="input").kept.tolist() == [True, False]


def test_random_choice_follows_the_seed_not_the_order_of_micrographs(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = [(*xy, f"m{i // 20}") for i, xy in enumerate(rng.random((200, 2)) * 40)]
    turned = [row for m in range(9, -1, -1) for row in rows if row[2] == f"m{m}"]
    first = run(star(tmp_path / "p.star", rows), pixel_size_a=1, score_field="none", seed=4)
    kept = {row for row, kept in zip(rows, first.kept, strict=True) if kept}
    second = run(star(tmp_path / "p.star", turned), pixel_size_a=1, score_field="none", seed=4)
    assert {row for row, kept in zip(turned, second.kept, strict=True) if kept} == kept
    other = run(star(tmp_path / "p.star", rows), pixel_size_a=1, score_field="none", seed=5)
    assert not np.array_equal(first.kept, other.kept)


def test_the_same_for_any_threads_and_order_of_micrographs(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    rows = [
        (*xy, f"m{i // 50}", score)
        for i, (xy, score) in enumerate(zip(rng.integers(0, 30, (2000, 2)) * 8, rng.integers(0, 9, 2000), strict=True))
    ]
    columns = "CoordinateX CoordinateY MicrographName AutopickFigureOfMerit"
    path = star(tmp_path / "p.star", rows, columns)
    results = [run(path, pixel_size_a=1, threads=threads) for threads in (1, 2, 7)]
    for result in results[1:]:
        np.testing.assert_array_equal(results[0].kept, result.kept)
        np.testing.assert_array_equal(results[0].duplicate_of, result.duplicate_of)
    order = np.argsort(rng.permutation(40)[np.arange(2000) // 50], kind="stable")
    shuffled = run(star(tmp_path / "s.star", [rows[i] for i in order], columns), pixel_size_a=1)
    np.testing.assert_array_equal(results[0].kept[order], shuffled.kept)


def test_z_and_no_z_can_not_be_mixed_unless_it_is_flat(tmp_path: Path) -> None:
    flat = star(tmp_path / "flat.star", [(0, 0, 5, "m")], "CoordinateX CoordinateY CoordinateZ MicrographName")
    plain = star(tmp_path / "plain.star", [(0, 0, "m")])
    assert run([flat, plain], pixel_size_a=1).kept.tolist() == [True, False]
    deep = star(tmp_path / "deep.star", [(0, 0, 5, "m"), (0, 0, 50, "m")], "CoordinateX CoordinateY CoordinateZ MicrographName")
    with pytest.raises(InputError, match=r"plain\.star: found coordinates without z, expected x, y and z as in .*deep\.star"):
        run([deep, plain], pixel_size_a=1)


def test_a_file_without_micrograph_names_is_one_micrograph_and_says_so(tmp_path: Path) -> None:
    path = star(tmp_path / "p.star", [(0, 0, 1), (1, 0, 2)], "CoordinateX CoordinateY ClassNumber")
    result = run(path, pixel_size_a=1)
    assert result.kept.tolist() == [True, False]
    assert "all its particles are put into one micrograph" in result.warnings[0]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"min_separation_a": -1}, "min_separation_a: found -1, expected a number of Å, 0 or more"),
        ({"min_separation_a": float("nan")}, "min_separation_a: found nan"),
        ({"pixel_size_a": 0}, "pixel_size_a: found 0, expected a positive number of Å"),
        ({"shift_key": "3D"}, "shift_key: found '3D', expected auto or alignments3D or alignments2D or none"),
        ({"threads": -1}, "threads: found -1, expected a whole number from 0 to 1024"),
        ({"seed": -1}, "seed: found -1, expected a whole number, 0 or more"),
        ({"pixel_size_a": {"a.star": "x"}}, "pixel_size_a: found {'a.star': 'x'}, expected a positive number of Å"),
        ({"pixel_size_override": True}, "pixel_size_override: found no pixel_size_a"),
        ({"match": "names"}, "match: found 'names', expected auto or path or name or uid"),
        ({"undo_symmetry_expansion": True, "shift_key": "alignments3D"}, "undo_symmetry_expansion, which compares stored coordinates"),
    ],
)
def test_bad_parameters(params: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        ParticleParams(**params)
    assert message in str(error.value)


def test_y_counted_from_the_other_edge_is_noticed_and_mended(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    xy = np.stack([np.arange(60) * 60.0, rng.random(60) * 2000], axis=1)
    stars = star(tmp_path / "p.star", [(*row, "a.mrc") for row in xy])
    array = records(xy * (1.0, -1.0) + (0.0, 2000.0), ALIGNED3D)
    array["alignments3D/psize_A"] = 1
    array["alignments3D/shift"] = (0, 7)
    turned = cs(tmp_path / "p.cs", array)
    result = run([stars, turned], pixel_size_a=1)
    assert any("60 would with flip_y: y seems to be counted from opposite edges" in warning for warning in result.warnings)
    result = run([stars, turned], pixel_size_a=1, flip_y=True)
    assert result.analysis.overlaps is not None
    assert result.analysis.overlaps.tolist() == [[0, 60], [60, 0]]
    assert not any("flip_y" in warning for warning in result.warnings)
    moved = run(turned, flip_y=True)
    np.testing.assert_allclose(moved.coordinates_a - xy, np.tile([0.0, 7.0], (60, 1)), atol=1e-3)


def test_origins_of_a_2d_step_are_no_3d_alignments(tmp_path: Path) -> None:
    path = star(tmp_path / "p.star", [(0, 0, "m", 1.0)], "CoordinateX CoordinateY MicrographName OriginXAngst")
    with pytest.raises(InputError, match="found shifts alignments2D, expected alignments3D"):
        run(path, pixel_size_a=1, shift_key="alignments3D")


def test_inputs_without_a_common_micrograph_are_told(tmp_path: Path) -> None:
    first, second = star(tmp_path / "a.star", [(0, 0, "m.mrc")]), star(tmp_path / "b.star", [(0, 0, "n.mrc")])
    result = run([first, second], pixel_size_a=1)
    assert f"{first}: no micrograph in common with another input" in result.warnings[0]
    assert result.summary()["overlaps"]["shared_micrographs"] == [[1, 0], [0, 1]]


def test_a_source_whose_scores_are_all_missing_is_as_one_without(tmp_path: Path) -> None:
    manual = scored(tmp_path, [(-999, 0, 0)], "manual.star")
    result = run([manual, scored(tmp_path, [(0.1, 0, 0)], "auto.star")], pixel_size_a=1)
    assert result.kept.tolist() == [False, True]
    assert list(result.warnings) == [
        f'no score in {manual}: its particles rank below all with a score; to rank by input order, add priority="input"'
    ]


def test_what_micrographs_overrule_is_told(tmp_path: Path) -> None:
    path = star(tmp_path / "p.star", [(100, 0, "m.mrc", 1), (100, 0, "n.mrc", 1)], COLUMNS, optics((1, "o", 9.0)))
    listed = micrographs(tmp_path / "mics.star", [("m.mrc", 1)])
    warnings = run(path, micrographs=str(listed)).warnings
    assert f"{path}: {listed} names 1 of its 2 micrographs, not n.mrc" in warnings
    assert any(f"{path}: pixel size 0.5 Å from {listed} used, not 9 Å from the input" in warning for warning in warnings)
    with pytest.raises(InputError, match=rf"found pixel_size_a=7, while {listed} gives 0.5 Å"):
        run(path, micrographs=listed, pixel_size_a=7.0)


def test_undoing_an_expansion_is_recorded_as_used() -> None:
    params = ParticleParams(undo_symmetry_expansion=True, min_separation_a=80)
    assert (params.used()["min_separation_a"], params.used()["shift_key"]) == (0, "none")
