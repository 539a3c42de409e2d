"""Two real sets on the same ten micrographs, against figures counted independently (see formats.md beside the data)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import starfile

from cases import double_loop, needs_shared
from cryodedup import ParticleParams, deduplicate_particles

pytestmark = needs_shared

WITHOUT_SHIFTS = {5: 703, 10: 1260, 20: 1552, 40: 1750, 80: 1893}
WITH_SHIFTS = {5: 287, 10: 675, 20: 1367, 40: 1780, 80: 1887}


@pytest.fixture
def stars(real: Path) -> list[Path]:
    return [real / "sppractice/Class2D/job010/run_it025_data.star", real / "em-testdata/run_it025_data.star"]


@pytest.fixture
def datasets(derived: Path) -> list[Path]:
    return [derived / "J20_sppractice_particles.csg", derived / "J10_em_testdata_particles.csg"]


@pytest.mark.parametrize("separation", WITHOUT_SHIFTS)
@pytest.mark.parametrize(("shift_key", "expected"), [("none", WITHOUT_SHIFTS), ("alignments2D", WITH_SHIFTS)])
def test_cross_pairs(stars: list[Path], datasets: list[Path], separation: int, shift_key: str, expected: dict[int, int]) -> None:
    params = ParticleParams(min_separation_a=separation, shift_key=shift_key, normalize_scores="none")
    by_star, by_cs = (deduplicate_particles(inputs, params) for inputs in (stars, datasets))
    for result in (by_star, by_cs):
        assert result.analysis.overlaps is not None
        # No particle has two of the other set this near, so pairs and particles with a partner are the same number.
        assert result.analysis.overlaps[0, 1] == result.analysis.overlaps[1, 0] == expected[separation]
    np.testing.assert_array_equal(by_star.kept_of(0), by_cs.kept_of(0))
    np.testing.assert_array_equal(by_star.kept_of(1), by_cs.kept_of(1))


def test_kept_are_those_of_a_double_loop(stars: list[Path]) -> None:
    result = deduplicate_particles(stars, ParticleParams(min_separation_a=60, normalize_scores="none"))
    tables = [starfile.read(path)["particles"] for path in stars]
    points = np.concatenate([table[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy() * 0.885 for table in tables])
    names = np.concatenate([table["rlnMicrographName"].to_numpy(str) for table in tables])
    scores = np.concatenate([table["rlnAutopickFigureOfMerit"].to_numpy() for table in tables])
    expected = np.zeros(len(points), bool)
    for name in np.unique(names):
        rows = np.flatnonzero(names == name)
        expected[rows] = double_loop(points[rows], np.zeros(len(rows)), scores[rows], 60)
    np.testing.assert_array_equal(result.kept, expected)


def test_star_and_dataset_can_be_mixed(stars: list[Path], datasets: list[Path]) -> None:
    mixed = deduplicate_particles([stars[0], datasets[1]])
    assert mixed.analysis.overlaps is not None
    assert mixed.analysis.overlaps[0, 1] == WITHOUT_SHIFTS[20]
    assert not any("flip_y" in warning for warning in mixed.warnings)
    turned = deduplicate_particles([stars[0], datasets[1]], ParticleParams(flip_y=True))
    assert any("without flip_y" in warning for warning in turned.warnings)


def test_the_picks_the_micrographs_and_the_particles_agree(real: Path) -> None:
    project = real / "sppractice"
    params = ParticleParams(min_separation_a=1, micrographs=project / "CtfFind/job005/micrographs_ctf.star", shift_key="none")
    inputs = [project / "AutoPick/job008/autopick.star", project / "Extract/job009/particles.star"]
    result = deduplicate_particles(inputs, params)
    assert result.analysis.overlaps is not None
    assert result.analysis.overlaps.tolist() == [[0, 2374], [2374, 0]]
    assert result.kept_of(0).all()
    assert not result.kept_of(1).any()
    manual = deduplicate_particles(project / "ManualPick/job006/manualpick.star", params)
    assert manual.sources[0].picks.scores is not None
    assert np.isnan(manual.sources[0].picks.scores.values).all()


def test_rows_that_share_a_coordinate_and_differ_in_origin(real: Path) -> None:
    path = real / "cryodrgn/relion31.star"
    assert deduplicate_particles(path, ParticleParams(min_separation_a=0, shift_key="none")).kept.tolist() == [
        True,
        False,
        True,
        True,
        True,
    ]
    assert deduplicate_particles(path, ParticleParams(min_separation_a=0)).kept.all()


def test_six_optics_groups(real: Path) -> None:
    result = deduplicate_particles(real / "cryodrgn/relion31.6opticsgroups.star")
    assert len(result.kept) == 139
    assert len({size["pixel_size_a"] for size in result.sources[0].pixel_sizes}) > 1


@pytest.mark.parametrize(
    ("path", "dimensions", "pixel_size"),
    [
        ("czi/relion_3_star.star", 3, 2.0), ("czi/relion_4_star.star", 3, None), ("czi/tomoman_relion_star.star", 3, 1.96),
        ("cylindra/Class3D_job_class3d_run_it025_data.star", 3, None), ("cylindra/Picks_job_picks_particles.star", 3, None),
        ("cylindra/Refine3D_job_refine_run_it050_data.star", 3, None), ("dynamo2m/relion_star_downgrade_relion3.1.star", 3, 5.0),
        ("dynamo2m/warp2dynamo_example.star", 3, 5.0), ("cryodrgn/relion5.star", 2, None),
        ("cryodrgn/FinalRefinement-OriginalParticles-PfCRT.star", 2, 1.0), ("simplecryoem/pyem.star", 2, None),
        ("aspire/sample_particles_relion30.star", 2, 1.0), ("aspire/sample_particles_relion31.star", 2, None), ("isecc/test.star", 2, None),
    ],
)  # fmt: skip
def test_particles_of_every_program_are_placed(real: Path, path: str, dimensions: int, pixel_size: float | None) -> None:
    result = deduplicate_particles(real / path, ParticleParams(pixel_size_a=pixel_size))
    assert result.coordinates_a.shape[1] == dimensions
    assert len(result.kept) == len(max((table for table in _tables(real / path)), key=len))


def _tables(path: Path) -> list[object]:
    return [
        frame
        for frame in starfile.read(path, always_dict=True).values()
        if hasattr(frame, "columns") and any("oordinate" in c for c in frame.columns)
    ]


def test_datasets_without_locations_say_so(real: Path) -> None:
    from cryodedup import InputError

    for name in ("cryosparc_P12_J24_001_particles.cs", "cryosparc_J2_particles_exported.cs"):
        with pytest.raises(InputError, match="found no location fields"):
            deduplicate_particles(real / "cryodrgn" / name)
