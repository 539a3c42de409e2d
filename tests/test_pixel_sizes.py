"""The pixel size of coordinates: one order, and nothing guessed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from cases import Ran, cs, needs_shared, optics, records, star
from cryodedup import InputError, ParticleParams, ParticleResult, deduplicate_particles

Command = Callable[..., Ran]
COLUMNS = "CoordinateX CoordinateY MicrographName OpticsGroup"
WARP = "TomoName CoordinateX CoordinateY CoordinateZ OpticsGroup ImageName"


def run(paths: Path | list[Path], **params: object) -> ParticleResult:
    return deduplicate_particles(paths, ParticleParams(**params))


def sizes(result: ParticleResult, source: int = 0) -> list[tuple[object, object]]:
    return [(size["pixel_size_a"], size["found_in"]) for size in result.sources[source].pixel_sizes]


def particles(path: Path, **group: object) -> Path:
    """One particle at 100 px, of an optics group with these columns."""
    columns = "OpticsGroup OpticsGroupName " + " ".join(group)
    return star(path, [(100, 0, "m.mrc", 1)], COLUMNS, optics((1, "o", *group.values()), columns=columns))


def table(path: Path, size: float) -> Path:
    return star(path, [("m.mrc", 1)], "MicrographName OpticsGroup", optics((1, "o", size)), "micrographs")


CERTAIN, UNCERTAIN = {"MicrographPixelSize": 2.0}, {"MicrographOriginalPixelSize": 0.5}


@pytest.mark.parametrize(
    ("group", "with_table", "chosen", "used", "found_in"),
    [
        (CERTAIN, True, None, 4.0, "micrographs"), (UNCERTAIN, True, None, 4.0, "micrographs"), (CERTAIN, False, None, 2.0, "rlnMicrographPixelSize"),
        (CERTAIN, False, 2.05, 2.0, "rlnMicrographPixelSize"), (UNCERTAIN, False, 1.0, 1.0, "pixel_size_a"), (UNCERTAIN, False, None, 0.5, "rlnMicrographOriginalPixelSize"),
        (UNCERTAIN, True, 4.1, 4.0, "micrographs"), ({}, False, 1.5, 1.5, "pixel_size_a"),
    ],
)  # fmt: skip
def test_the_order(tmp_path: Path, group: dict[str, object], with_table: bool, chosen: float | None, used: float, found_in: str) -> None:
    path = particles(tmp_path / "p.star", **group)
    micrographs = table(tmp_path / "m.star", 4.0) if with_table else None
    result = run(path, micrographs=micrographs, pixel_size_a=chosen)
    assert (result.coordinates_a[0, 0], sizes(result)) == (100 * used, [(used, found_in)])
    not_used = chosen is not None and chosen != used
    assert any(f"pixel_size_a={chosen:g} not used" in warning for warning in result.warnings) if not_used else True
    assert any("movie before binning" in warning for warning in result.warnings) == (found_in == "rlnMicrographOriginalPixelSize")


@pytest.mark.parametrize(("chosen", "refused"), [(2.0, False), (1.91, False), (2.09, False), (1.89, True), (2.11, True), (1.0, True)])
def test_a_chosen_value_far_from_a_certain_one_is_refused_with_both(tmp_path: Path, chosen: float, refused: bool) -> None:
    path = particles(tmp_path / "p.star", **CERTAIN)
    for certain in ({}, {"micrographs": table(tmp_path / "m.star", 2.0)}):
        if not refused:
            assert run(path, pixel_size_a=chosen, **certain).coordinates_a[0, 0] == 200
            continue
        with pytest.raises(
            InputError, match=rf"pixel_size_a={chosen:g}, while .* gives 2 Å; leave pixel_size_a out, or add pixel_size_override"
        ):
            run(path, pixel_size_a=chosen, **certain)
        assert run(path, pixel_size_a=chosen, pixel_size_override=True, **certain).coordinates_a[0, 0] == pytest.approx(100 * chosen)


def test_each_input_can_have_its_own(command: Command, tmp_path: Path) -> None:
    first, second = star(tmp_path / "a.star", [(100, 0, "m.mrc")]), star(tmp_path / "b.star", [(50, 0, "m.mrc")])
    for names in ((str(first), str(second)), ("a.star", "b.star"), ("a", "b")):
        result = run([first, second], pixel_size_a=dict(zip(names, (1.0, 2.0), strict=True)))
        assert result.coordinates_a[:, 0].tolist() == [100, 100]
    ran = command("particles", first, second, "--dry-run", "--pixel-size", "a=1", "--pixel-size", "b.star=2")
    assert (ran.status, "pixel size: 2 Å from --pixel-size" in ran.out) == (0, True)
    for given, message in (
        (["c=1"], "--pixel-size c=1: found no such input, expected the name of one of"),
        (["a=1"], "b.star: found no micrograph pixel size"),
        (["a=1", "2"], "--pixel-size: found several values"),
        (["a=x"], "--pixel-size: found 'a=x', expected a number, or NAME=VALUE"),
    ):
        ran = command("particles", first, second, "--dry-run", *[part for value in given for part in ("--pixel-size", value)])
        assert ran.status == 2
        assert message in ran.err
    (tmp_path / "d").mkdir()
    same = star(tmp_path / "d" / "a.star", [(50, 0, "m.mrc")])
    with pytest.raises(InputError, match=r'pixel_size_a=."a": 1.: found inputs .*a\.star and .*d/a\.star'):
        run([first, same], pixel_size_a={"a": 1.0})


def exported(
    path: Path, image: str, *, size: float = 0.7894, binning: float | None = 5.0671, name: str = "TS_01.tomostar", **more: object
) -> Path:
    """Two particles 100 px apart, as WarpTools exports them with --2d."""
    columns = "OpticsGroup OpticsGroupName TomoTiltSeriesPixelSize" + (" TomoSubtomogramBinning" if binning else "")
    group = optics((1, "o", size, *([binning] if binning else [])), columns=columns)
    return star(path, [(name, x, 500, 90, 1, image) for x in (100, 200)], WARP, group)


def test_an_export_is_counted_in_its_own_pixels(tmp_path: Path) -> None:
    result = run(exported(tmp_path / "p.star", "../s/TS_01_4.00A_000001.mrcs"))
    np.testing.assert_allclose(np.diff(result.coordinates_a[:, 0]), [400], rtol=1e-4)
    assert (sizes(result)[0][1], result.warnings) == ("rlnTomoTiltSeriesPixelSize x rlnTomoSubtomogramBinning", ())
    assert result.kept.all()
    later = run(exported(tmp_path / "p.star", "TS_01_4.00A_000001.mrcs", size=4.0, binning=1.0))  # newer versions of WarpTools
    np.testing.assert_allclose(np.diff(later.coordinates_a[:, 0]), [400])


def test_an_export_that_nothing_confirms_is_uncertain(tmp_path: Path) -> None:
    result = run(exported(tmp_path / "p.star", "Extract/job1/1.mrcs"))
    assert "which is right if coordinates are in pixels of the exported images" in result.warnings[0]
    assert run(exported(tmp_path / "p.star", "1.mrcs"), pixel_size_a=2.0).coordinates_a[0, 0] == 200
    unbinned = run(exported(tmp_path / "p.star", "1.mrcs", binning=None))
    assert "the pixel size of the unbinned tilt series, while Warp counts" in unbinned.warnings[0]


def test_an_export_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    path = exported(tmp_path / "p.star", "../s/TS_01_4.00A_000001.mrcs", binning=1.0)
    with pytest.raises(
        InputError, match=r"0\.7894 Å in rlnTomoTiltSeriesPixelSize x rlnTomoSubtomogramBinning, but the names of images say 4 Å"
    ):
        run(path)
    assert run(path, pixel_size_a=4.0).coordinates_a[0, 0] == 400


def test_a_3d_export_has_it_in_its_rows(tmp_path: Path) -> None:
    columns = "MicrographName CoordinateX CoordinateY CoordinateZ PixelSize ImageName Magnification DetectorPixelSize"
    rows = [("TS_1.tomostar", x, 5, 9, 10.0, f"subtomo/TS_1_000000{x}_10.00A.mrc", 10000, 10.0) for x in (1, 2)]
    result = run(star(tmp_path / "p.star", rows, columns, block=""))
    assert (sizes(result), result.coordinates_a[:, 0].tolist()) == ([(10.0, "rlnPixelSize")], [10, 20])


TOMOGRAMS = "TomoName TomoTiltSeriesPixelSize TomoSizeX TomoSizeY TomoSizeZ TomoTomogramBinning TomoTiltSeriesStarFile"


def tomograms(path: Path, *rows: tuple[object, ...]) -> Path:
    """RELION 5's tomograms.star; rows are name, pixel size, size x, y, z, binning."""
    return star(path, [(*row, "t.star") for row in rows], TOMOGRAMS, block="global")


def test_an_export_of_warp_1_has_it_in_its_rows_whatever_its_tomograms_are_called(tmp_path: Path) -> None:
    columns = "MicrographName CoordinateX CoordinateY CoordinateZ ImageName PixelSize OpticsGroup"
    groups = optics((1, "g", 1.223), columns="OpticsGroup OpticsGroupName ImagePixelSize")
    rows = [("TS_01.mrc", x, 5, 9, f"subtomo/TS_01/TS_01_000000{x}_7.34A.mrc", 7.338, 1) for x in (1, 4)]
    path = star(tmp_path / "p.star", rows, columns, groups)
    assert (sizes(run(path)), run(path).warnings, run(path).kept.all()) == ([(7.338, "rlnPixelSize")], (), True)  # 22 Å apart
    with pytest.raises(InputError, match=r"found pixel_size_a=1\.223, while rlnPixelSize gives 7\.338 Å"):
        run(path, pixel_size_a=1.223)
    unnamed = star(tmp_path / "q.star", [(*row[:4], "000001.mrc", *row[5:]) for row in rows], columns, groups)
    assert "7.338 Å from rlnPixelSize, which Warp counts coordinates in; nothing else" in run(unnamed).warnings[0]
    assert sizes(run(unnamed, pixel_size_a=1.2, shift_key="none")) == [(1.2, "pixel_size_a")]
    flat = star(tmp_path / "r.star", [(*row[:3], *row[4:]) for row in rows], columns.replace("CoordinateZ ", ""), groups)
    with pytest.raises(InputError, match="found no micrograph pixel size"):  # of particles in 2D it is that of their images
        run(flat)


def test_tomograms_give_pixel_sizes_and_extents(tmp_path: Path) -> None:
    given = tomograms(tmp_path / "tomograms.star", ("TS_01", 2.0, 4000, 4000, 1000, 8))
    path = star(tmp_path / "p.star", [("TS_01", 100, 200, 300)], "TomoName CoordinateX CoordinateY CoordinateZ")
    result = run(path, micrographs=given)
    assert (result.coordinates_a.tolist(), sizes(result)) == ([[200, 400, 600]], [(2.0, "micrographs")])
    beyond = star(tmp_path / "p.star", [("TS_01", 100, 4400, 300)], "TomoName CoordinateX CoordinateY CoordinateZ")
    with pytest.raises(InputError, match=r"line 10: found a centre at 200 x 8800 x 600 Å in TS_01, whose size is 8000 x 8000 x 2000 Å"):
        run(beyond, micrographs=given)


def test_an_export_is_checked_against_the_extent(tmp_path: Path) -> None:
    given = tomograms(tmp_path / "tomograms.star", ("TS_01.tomostar", 0.7894, 500, 1000, 800, 5))
    path = exported(tmp_path / "p.star", "1.mrcs")  # 500 px of 4 Å, in 1000 px of 0.79 Å
    with pytest.raises(
        InputError, match="expected centres within it; of 2 checked particles 1 other is also outside: the pixel size is probably wrong"
    ):
        run(path, micrographs=given)
    assert run(path, micrographs=given, pixel_size_a=0.7894).coordinates_a[0, 0] == pytest.approx(78.94)


def test_what_was_picked_in_a_reconstructed_tomogram_is_counted_in_its_pixels(tmp_path: Path) -> None:
    """RELION 5's picks have no pixel size, and the tilt series' is not theirs."""
    path = tmp_path / "TS_01_particles.star"
    path.write_text("data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n_rlnCoordinateZ #3\n10 20 30\n")
    with pytest.raises(InputError, match="found no pixel size of its coordinates; give pixel_size_a: the pixel size of the tomogram"):
        run(path)
    given = tomograms(tmp_path / "tomograms.star", ("TS_01", 2.0, 4000, 4000, 1000, 8))
    result = run(path, micrographs=given)
    assert result.coordinates_a.tolist() == [[160, 320, 480]]
    assert "the pixel size of the reconstructed tomogram" in result.warnings[0]
    assert run(path, micrographs=given, pixel_size_a=10).coordinates_a[0, 0] == 100


def test_matches_of_pytom_are_counted_in_pixels_of_the_tomogram(tmp_path: Path) -> None:
    columns = "CoordinateX CoordinateY CoordinateZ LCCmax DetectorPixelSize MicrographName"
    rows = [(10, 10, 10, 0.2, 13.0, "t1"), (11, 10, 10, 0.4, 13.0, "t1")]
    result = run(star(tmp_path / "p.star", rows, columns, block=""))
    assert (sizes(result), result.kept.tolist()) == ([(13.0, "rlnDetectorPixelSize")], [False, True])


def test_centred_angstroms_meet_pixels_where_the_tomograms_are_known(tmp_path: Path) -> None:
    centred = star(
        tmp_path / "five.star",
        [("TS_01", -3800, 0, 200)],
        "TomoName CenteredCoordinateXAngst CenteredCoordinateYAngst CenteredCoordinateZAngst",
    )
    pixels = star(tmp_path / "four.star", [("TS_01", 100, 2000, 600)], "TomoName CoordinateX CoordinateY CoordinateZ")
    given = tomograms(tmp_path / "tomograms.star", ("TS_01", 2.0, 4000, 4000, 1000, 8))
    result = run([centred, pixels], micrographs=given)
    np.testing.assert_allclose(result.coordinates_a, [[200, 4000, 1200], [200, 4000, 1200]])
    assert result.kept.tolist() == [True, False]
    with pytest.raises(
        InputError, match=r"five\.star: found coordinates counted from the middle of the tomogram, but from a corner in .*four\.star"
    ):
        run([centred, pixels], pixel_size_a=2.0)
    unknown = tomograms(tmp_path / "unknown.star", ("TS_01", 2.0, -999, -999, -999, 8))
    with pytest.raises(InputError, match="to join them, such as that of TS_01; give micrographs"):
        run([centred, pixels], micrographs=unknown)
    assert len(run(centred).kept) == 1  # alone it needs no size


def test_at_a_distance_of_zero_units_have_to_be_equal(tmp_path: Path) -> None:
    groups = optics((1, "o", 1.0), (2, "p", 2.0))
    path = star(tmp_path / "p.star", [(100, 100, "m", 1), (100, 100, "m", 2), (100, 100, "m", 2)], COLUMNS, groups)
    assert run(path, min_separation_a=0).kept.tolist() == [True, True, False]


def test_undoing_an_expansion_needs_no_pixel_size(command: Command, tmp_path: Path) -> None:
    path = star(tmp_path / "p.star", [(100, 100, "m"), (100, 100, "m"), (101, 100, "m")])
    ran = command("particles", path, "--undo-symmetry-expansion", "--min-separation", 30, "-o", tmp_path / "out")
    assert (ran.status, ran.err) == (0, "")
    assert "warning: --min-separation 30 not used" in ran.out
    assert "pixel size: not known, not needed" in ran.out
    assert (tmp_path / "out" / "duplicates.csv").read_text().splitlines()[1] == f"{path},1,,m,,,,{path},0,,"
    assert "kept 2, rejected 1" in ran.out


def test_an_origin_that_is_not_set_is_none(tmp_path: Path) -> None:
    expanded = [("sym_expand/src_uid", "<u8")]
    apart = cs(tmp_path / "p.cs", records([(100, 100), (100, 100), (900, 900)], expanded, src_uid=0))
    assert run(apart, undo_symmetry_expansion=True).kept.tolist() == [True, False, True]
    of_one = cs(tmp_path / "q.cs", records([(100, 100), (100, 100), (900, 900)], expanded, src_uid=[5, 6, 5]))
    assert run(of_one, undo_symmetry_expansion=True).kept.tolist() == [True, True, False]


@needs_shared
def test_real_tomograms(real: Path) -> None:
    picks = real / "cylindra/Picks_job_picks_particles.star"
    result = run(picks, micrographs=real / "cylindra/Tomograms_job_tomo_tomograms.star")
    assert result.coordinates_a[0].tolist() == [-176.94, 765.48005, 11.16]
    warp = run(real / "dynamo2m/relion_star_downgrade_relion3.1.star")
    assert (sizes(warp), warp.warnings) == ([(5.0, "rlnPixelSize")], ())
    older = run(
        real / "dynamo2m/warp2dynamo_example.star", min_separation_a=72
    )  # before rlnPixelSize: the names of its images say 5.00 Å, too
    assert (sizes(older), older.warnings) == ([(5.0, "rlnDetectorPixelSize / rlnMagnification")], ())


def test_a_certain_value_goes_before_a_column_of_movies(tmp_path: Path) -> None:
    path = star(tmp_path / "p.star", [(100, 0, "m.mrc", 1, 0.5)], f"{COLUMNS} MicrographOriginalPixelSize", optics((1, "o", 1.0)))
    assert sizes(run(path)) == [(1.0, "rlnMicrographPixelSize")]


def test_each_group_of_an_export_is_compared_with_its_own_images(tmp_path: Path) -> None:
    groups = optics(
        (1, "o", 0.8, 5.0), (2, "p", 0.8, 10.0), columns="OpticsGroup OpticsGroupName TomoTiltSeriesPixelSize TomoSubtomogramBinning"
    )
    rows = [("T.tomostar", 100 * i, 500, 90, 1 + i % 2, f"run_1.35A_b/T_{4 + 4 * (i % 2)}.00A_{i:06d}.mrcs") for i in range(40)]
    result = run(star(tmp_path / "p.star", rows, WARP, groups))
    assert (sizes(result), result.warnings) == (
        [(4.0, "rlnTomoTiltSeriesPixelSize x rlnTomoSubtomogramBinning"), (8.0, "rlnTomoTiltSeriesPixelSize x rlnTomoSubtomogramBinning")],
        (),
    )
    rows[7] = (*rows[7][:5], "T_5.00A_000007.mrcs")
    with pytest.raises(
        InputError, match=r"optics group 2: found a pixel size of 8 Å in .*, but the names of images say 5 Å \(T_5\.00A_000007\.mrcs\)"
    ):
        run(star(tmp_path / "p.star", rows, WARP, groups))


def test_a_chosen_value_settles_a_conflict_only_as_one_of_the_two(tmp_path: Path) -> None:
    path = exported(tmp_path / "p.star", "TS_01_4.00A_000001.mrcs", binning=2.0)
    for chosen in (4.0, 1.58):
        assert run(path, pixel_size_a=chosen).coordinates_a[0, 0] == pytest.approx(100 * chosen)
    with pytest.raises(InputError, match="but the names of images say 4 Å"):
        run(path, pixel_size_a=9.0)
    assert run(path, pixel_size_a=9.0, pixel_size_override=True).coordinates_a[0, 0] == 900


def test_an_export_whose_tomograms_were_renamed_is_noticed(tmp_path: Path) -> None:
    path = exported(tmp_path / "p.star", "TS_01_4.00A_000001.mrcs", name="TS_01")
    with pytest.raises(InputError, match=r"0\.7894 Å in rlnTomoTiltSeriesPixelSize, but the names of images say 4 Å"):
        run(path)


def test_many_groups_of_an_export_are_one_warning(tmp_path: Path) -> None:
    groups = optics(
        *((i, f"o{i}", 1.0, 4.0) for i in range(1, 31)),
        columns="OpticsGroup OpticsGroupName TomoTiltSeriesPixelSize TomoSubtomogramBinning",
    )
    rows = [(f"T{i}.tomostar", 100, 500, 90, i, f"{i}.mrcs") for i in range(1, 31)]
    (warning,) = run(star(tmp_path / "p.star", rows, WARP, groups)).warnings
    assert (
        "pixel size 4 Å from rlnTomoTiltSeriesPixelSize x rlnTomoSubtomogramBinning (optics group 1 and 29 others), which is right if"
        in warning
    )


def test_a_table_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    path = star(tmp_path / "p.star", [(100, 0, "m.mrc")])
    twice = star(
        tmp_path / "m.star", [("m.mrc", 1), ("m.mrc", 2)], "MicrographName OpticsGroup", optics((1, "o", 1.0), (2, "p", 2.0)), "micrographs"
    )
    with pytest.raises(InputError, match=r"micrographs: found m\.mrc twice, with 1 Å and 2 Å a pixel or other extents, expected one"):
        run(path, micrographs=twice)
    groups = star(tmp_path / "g.star", [("m.mrc", 1)], "MicrographName OpticsGroup", optics((1, "o", 1.0), (1, "p", 2.0)), "micrographs")
    with pytest.raises(InputError, match="found rlnOpticsGroup 1 2 times"):
        run(path, micrographs=groups)


def test_fractions_of_micrographs_that_are_binned_otherwise(tmp_path: Path) -> None:
    exposures = np.zeros(
        1, [("uid", "<u8"), ("micrograph_blob/path", "S9"), ("micrograph_blob/psize_A", "<f4"), ("micrograph_blob/shape", "<u4", (2,))]
    )
    exposures["uid"], exposures["micrograph_blob/psize_A"], exposures["micrograph_blob/shape"] = 7, 2, (1000, 2000)
    path = cs(tmp_path / "p.cs", records([(100, 100), (112, 100)], ncc_score=[1, 2]))  # 4000 x 2000 at 1 Å
    result = run(path, micrographs=cs(tmp_path / "e.cs", exposures), min_separation_a=15)
    np.testing.assert_allclose(result.coordinates_a[:, 0], [100, 112], rtol=1e-5)
    assert result.kept.tolist() == [False, True]
    binned = star(
        tmp_path / "m.star", [("000000000000000000007_a.mrc", 1)], "MicrographName OpticsGroup", optics((1, "o", 2.0)), "micrographs"
    )
    with pytest.raises(InputError, match="the micrographs have different binnings, and locations are fractions"):
        run(path, micrographs=binned)


def test_tomograms_of_several_binnings(tmp_path: Path) -> None:
    for name in ("TS_01", "TS_02"):
        (tmp_path / f"{name}_particles.star").write_text(
            "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n_rlnCoordinateZ #3\n10 20 30\n"
        )
    given = tomograms(tmp_path / "tomograms.star", ("TS_01", 2.0, 4000, 4000, 1000, 8), ("TS_02", 2.0, 4000, 4000, 1000, 4))
    result = run([tmp_path / f"{name}_particles.star" for name in ("TS_01", "TS_02")], micrographs=given)
    assert result.coordinates_a[:, 0].tolist() == [160, 80]
    assert "pixel size 8, 16 Å from micrographs, binned" in result.warnings[0]


def test_one_input_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'pixel_size_a=."a": 5.: found .*a\.star named twice, expected once'):
        run(star(tmp_path / "a.star", [(100, 0, "m.mrc")]), pixel_size_a={"a.star": 1.0, "a": 5.0})


def two_sizes(tmp_path: Path, sizes: tuple[float, float], scale: float, *, coincide: bool, joined: bool) -> list[Path]:
    """Particles of four micrographs, twice: as files of their own, or as two optics groups of one."""
    rng = np.random.default_rng(1)
    first = rng.uniform(0, 4000, (400, 2))
    second = scale * (first + 1 if coincide else rng.uniform(0, 4000, (400, 2)))
    rows = [[(x, y, f"Movies/mic_{i % 4}.mrc", k) for i, (x, y) in enumerate(xy.tolist())] for k, xy in ((1, first), (2, second))]
    if joined:
        return [star(tmp_path / "a.star", rows[0] + rows[1], COLUMNS, optics((1, "o", sizes[0]), (2, "p", sizes[1])))]
    return [star(tmp_path / f"{k}.star", some, COLUMNS, optics((k, "o", size))) for k, some, size in zip((1, 2), rows, sizes, strict=True)]


@pytest.mark.parametrize("joined", [True, False])
def test_one_exposure_has_one_pixel_size(tmp_path: Path, joined: bool) -> None:
    paths = two_sizes(tmp_path, (1.06, 1.0835), 1.0, coincide=True, joined=joined)
    for separation in (0, 20):
        with pytest.raises(
            InputError, match=r"found a pixel size of 1\.06 Å for Movies/mic_0\.mrc in .* but 1\.0835 Å for Movies/mic_0\.mrc"
        ):
            run(paths, min_separation_a=separation)
    result = run(paths, pixel_size_a=1.0835, pixel_size_override=True, min_separation_a=3)
    assert (~result.kept).sum() >= 400


@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize(("size", "scale", "coincide"), [(2.12, 0.5, True), (1.35, 1.0, False)])
def test_binned_micrographs_are_one_and_two_sessions_are_said(
    tmp_path: Path, size: float, scale: float, coincide: bool, joined: bool
) -> None:
    result = run(two_sizes(tmp_path, (1.06, size), scale, coincide=coincide, joined=joined), min_separation_a=3)
    said = [warning for warning in result.warnings if "treated as one micrograph with two binnings" in warning]
    assert (len(said), (~result.kept).sum() >= 400) == (0 if coincide else 1, coincide)


def test_a_table_of_micrographs_may_be_a_group_or_number_its_optics_otherwise(tmp_path: Path) -> None:
    """The pixel size is where the group's slot says; other files of it may have the same field."""
    path = star(tmp_path / "p.star", [(100, 200, "a.mrc")])
    exposures = np.zeros(
        1, [("uid", "<u8"), ("micrograph_blob/path", "S8"), ("micrograph_blob/psize_A", "<f4"), ("micrograph_blob/shape", "<u4", 2)]
    )
    exposures[0] = (7, b"a.mrc", 9.0, (4000, 4000))
    cs(tmp_path / "ctf.cs", exposures)
    exposures["micrograph_blob/psize_A"] = 1.25
    cs(tmp_path / "blobs.cs", exposures)
    slots = {"ctf": {"metafile": ">ctf.cs", "num_items": 1}, "micrograph_blob": {"metafile": ">blobs.cs", "num_items": 1}}
    (tmp_path / "exposures.csg").write_text(yaml.safe_dump({"results": slots}))
    assert sizes(run(path, micrographs=tmp_path / "exposures.csg")) == [(1.25, "micrographs")]
    slots["micrograph_blob"]["num_items"] = 2
    (tmp_path / "exposures.csg").write_text(yaml.safe_dump({"results": slots}))
    with pytest.raises(InputError, match=r"slot micrograph_blob: found 1 records in blobs.cs, expected 2"):
        run(path, micrographs=tmp_path / "exposures.csg")
    table = star(tmp_path / "m.star", [("a.mrc", "1.000000")], "MicrographName OpticsGroup", optics((1, "g", 1.5)), "micrographs")
    assert sizes(run(path, micrographs=table)) == [(1.5, "micrographs")]
