"""Versions of one exposure: each kind is recognised, one of a family stays, and equal names alone are no evidence."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cases import Ran
from cryodedup import MicrographParams, MicrographResult, find_duplicate_micrographs
from cryodedup.micrographs.version_names import UNMARKED, UNWEIGHTED, WEIGHTED, marks_of

Command = Callable[..., Ran]
Image = np.ndarray
EPU = "FoilHole_12_Data_3_{}_20200206_1706{:02}"


def half(exposure: int, which: int, corner: int = 0, scene: int | None = None) -> Image:
    """Half the frames of an exposure's movie: a scene, and noise of its own."""
    world = np.random.default_rng([3, exposure if scene is None else scene]).normal(0, 18, (330, 380))
    noise = np.random.default_rng([4, exposure, which]).normal(500, 30, (256, 300))
    return noise + world[corner : corner + 256, corner : corner + 300]


def whole(exposure: int, corner: int = 0, scene: int | None = None) -> Image:
    return half(exposure, 0, corner, scene) + half(exposure, 1, corner, scene)


def weighted(image: Image) -> Image:
    fy, fx = np.fft.fftfreq(image.shape[0])[:, None], np.fft.rfftfreq(image.shape[1])[None]
    return np.fft.irfft2(np.fft.rfft2(image) * np.exp(-4 * (fx**2 + fy**2)), s=image.shape)


def save(path: Path, image: Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    mrcfile.write(path, image.astype(np.float32))
    return path


def find(*paths: Path, **params: object) -> MicrographResult:
    return find_duplicate_micrographs(paths, MicrographParams(**{"bin": 2, "max_removed": 1, **params}))  # type: ignore[arg-type]


def kinds(result: MicrographResult) -> dict[str, tuple[str, str]]:
    return {Path(result.names[one.version]).name: (Path(result.names[one.kept]).name, one.kind) for one in result.versions}


@pytest.mark.parametrize(
    ("path", "folder", "name", "stem", "half", "weighting"),
    [
        ("a/x.mrc", "a", "x", "x", "", UNMARKED),
        ("a/x_DW.mrc", "a", "x", "x", "", WEIGHTED),
        ("a/x_DWS.mrc.gz", "a", "x", "x", "", WEIGHTED),
        ("a/x_fractions_noDW.mrc", "a", "x", "x", "", UNWEIGHTED),
        ("a/x_EVN.mrc", "a", "x", "x", "even", UNMARKED),
        ("a/x_odd_DW.mrc", "a", "x", "x", "odd", WEIGHTED),
        ("a/average/odd/x.mrc", "a/average", "x", "x", "odd", UNMARKED),
        ("a/EVN/x.tif", "a", "x", "x", "even", UNMARKED),
        ("a/" + 20 * "0" + "7_x_patch_aligned_doseweighted.mrc", "a", 20 * "0" + "7_x", "x", "", WEIGHTED),
        ("a/20200206170645_x.mrc", "a", "20200206170645_x", "20200206170645_x", "", UNMARKED),
        ("a/_DW.mrc", "a", "_DW", "_DW", "", UNMARKED),
        ("a/model.mrc", "a", "model", "model", "", UNMARKED),
    ],
)
def test_names_are_taken_apart(path: str, folder: str, name: str, stem: str, half: str, weighting: int) -> None:
    found = marks_of(Path(path))
    assert (found.folder, found.name, found.stem, found.half, found.weighting) == (folder, name, stem, half, weighting)


def test_of_a_frame_its_copy_and_another_one_the_other_one_stays(tmp_path: Path) -> None:
    first, other = save(tmp_path / "a.mrc", whole(1)), save(tmp_path / "c.mrc", whole(2))
    copy = Path(shutil.copy(first, tmp_path / "b.mrc"))
    result = find(first, copy, other, max_removed=0)
    assert result.kept.tolist() == [True, False, True]
    assert kinds(result) == {"b.mrc": ("a.mrc", "same file")}
    assert (result.pairs, result.withheld) == ((), None)


def test_equal_pixels_in_another_packing_or_with_another_header(tmp_path: Path) -> None:
    first = save(tmp_path / "a.mrc", whole(1))
    packed, labelled = tmp_path / "b.mrc.gz", Path(shutil.copy(first, tmp_path / "c.mrc"))
    packed.write_bytes(gzip.compress(first.read_bytes()))
    with mrcfile.open(labelled, "r+") as file:
        file.add_label("copied")
    result = find(first, packed, labelled, save(tmp_path / "d.mrc", whole(2)))
    assert kinds(result) == {"b.mrc.gz": ("a.mrc", "equal pixels"), "c.mrc": ("a.mrc", "equal pixels")}


def test_of_a_family_the_dose_weighted_whole_stays_and_all_go_with_it(tmp_path: Path, command: Command) -> None:
    """Six exposures, the last of the first's area; of each the sum, the dose-weighted sum and both halves."""
    for k in range(6):
        corner, scene = (6, 0) if k == 5 else (0, k)
        folder = tmp_path / "m"
        save(folder / f"x{k}.mrc", whole(k, corner, scene))
        save(folder / f"x{k}_DW.mrc", weighted(whole(k, corner, scene)))
        save(folder / f"x{k}_EVN.mrc", half(k, 0, corner, scene))
        save(folder / f"x{k}_ODD.mrc", half(k, 1, corner, scene))
    out = tmp_path / "out"
    ran = command("micrographs", tmp_path / "m", "--bin", 2, "-o", out)
    assert ran.status == 0  # versions count neither for --max-removed nor for --max-set
    assert "24 micrographs, 6 compared" in ran.out
    assert (
        "18 micrographs removed as further versions of 6 exposures (6 even half, 6 not dose-weighted, 6 odd half; versions.csv)" in ran.out
    )
    kept = [Path(name).name for name in (out / "micrographs_kept.txt").read_text().split()]
    assert kept == [f"x{k}_DW.mrc" for k in range(5)]
    assert len((out / "micrographs_removed.txt").read_text().split()) == 19
    with (out / "duplicates.csv").open() as file:
        assert [(Path(row["Original"]).name, Path(row["Duplicate"]).name) for row in csv.DictReader(file)] == [("x0_DW.mrc", "x5_DW.mrc")]
    with (out / "versions.csv").open() as file:
        listed = list(csv.DictReader(file))
    assert list(listed[0]) == ["Kept", "Version", "kind", "duplicate_of"]
    assert {Path(row["Kept"]).name for row in listed if row["duplicate_of"]} == {"x5_DW.mrc"}
    assert {Path(row["duplicate_of"]).name for row in listed if row["duplicate_of"]} == {"x0_DW.mrc"}
    summary = json.loads((out / "summary.json").read_text())
    assert summary["versions"] == {"removed": 18, "kinds": {"even half": 6, "not dose-weighted": 6, "odd half": 6}}
    page = (out / "report.html").read_text()
    assert "18 removed as further versions of an exposure" in page
    assert "Versions of one exposure" in page


def test_ten_frames_with_their_dose_weighted_versions_keep_ten(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"x{k}{mark}.mrc", whole(k)) for k in range(10) for mark in ("", "_noDW")]
    result = find(*paths, max_removed=0)
    assert [Path(path).name for path, kept in zip(result.names, result.kept, strict=True) if kept] == [f"x{k}.mrc" for k in range(10)]


def test_halves_without_their_sum_and_in_folders_of_their_own(tmp_path: Path) -> None:
    alone = [save(tmp_path / f"x_{mark}.mrc", half(1, k)) for k, mark in enumerate(("ODD", "EVN"))]
    warp = [
        save(tmp_path / "average" / side / "y.mrc", image) for side, image in (("", whole(2)), ("even", half(2, 0)), ("odd", half(2, 1)))
    ]
    result = find(*alone, *warp)
    assert result.kept.tolist() == [False, True, True, False, False]
    assert [one.kind for one in result.versions] == ["odd half", "even half", "odd half"]


def test_frame_numbers_in_two_folders_are_versions_only_if_the_electrons_are_the_same(tmp_path: Path) -> None:
    """m1: two exposures of one area at no shift; m2: unrelated; m3: one movie, corrected twice; m4 as m3, moved by three pixels."""
    first = [save(tmp_path / "one" / f"m{k}.mrc", whole(k)) for k in range(1, 9)]
    moved = np.roll(weighted(whole(4)), 3, axis=1)
    images = {1: whole(21, scene=1), 2: whole(22), 3: weighted(whole(3)), 4: moved}
    second = [save(tmp_path / "two" / f"m{k}.mrc", image) for k, image in images.items()]
    result = find(*first, *second, order="input")
    found = {(result.names[one.kept], result.names[one.version], one.kind) for one in result.versions}
    assert found == {(str(first[k]), str(second[k]), "same exposure") for k in (2, 3)}
    assert [(result.names[one.first], result.names[one.second]) for one in result.duplicates] == [(str(first[0]), str(second[0]))]
    assert result.kept.tolist() == [True] * 8 + [False, True, False, False]


@pytest.mark.parametrize("name", [EPU, 18 * "0" + "{}{}_x"])
def test_names_of_a_whole_acquisition_in_two_folders(name: str, tmp_path: Path) -> None:
    """Equal pixels are not needed, but those of another specimen refuse it; halves have other noise, and need none."""
    names = [f"{name.format(k, 10 + k)}.mrc" for k in range(4)]
    first = [save(tmp_path / "one" / n, whole(k)) for k, n in enumerate(names)]
    noisy = weighted(whole(0)) + np.random.default_rng(1).normal(0, 60, (256, 300))
    second = [save(tmp_path / "two" / names[0], noisy), save(tmp_path / "two" / names[1], whole(11))]
    second += [save(tmp_path / "two" / names[2].replace(".mrc", "_EVN.mrc"), half(2, 0))]
    second += [save(tmp_path / "two" / names[3], np.kron(whole(3), np.ones((2, 2))))]
    result = find(*first, *second)
    found = {(result.names[one.kept], result.names[one.version], one.kind) for one in result.versions}
    assert found == {
        (str(first[0]), str(second[0]), "same exposure"),
        (str(first[2]), str(second[2]), "even half"),
        (str(second[3]), str(first[3]), "same exposure"),  # the larger one stays
    }
    assert result.kept.tolist() == [True] * 3 + [False] + [False, True, False, True]


def test_the_best_ctf_decides_among_equal_ones_and_unreadable_ones_stay(tmp_path: Path) -> None:
    paths = [save(tmp_path / name, image) for name, image in (("a.mrc", whole(1)), ("b_DW.mrc", whole(1)), ("c.mrc", whole(2)))]
    shutil.copy(paths[0], tmp_path / "z.mrc")
    (tmp_path / "c_DW.mrc").write_bytes(b"no image")
    rows = "".join(f"{tmp_path / name} {ctf}\n" for name, ctf in (("a.mrc", 4), ("z.mrc", 3), ("c.mrc", 5), ("c_DW.mrc", 3)))
    star = tmp_path / "m.star"
    star.write_text(f"data_\nloop_\n_rlnMicrographName #1\n_rlnCtfMaxResolution #2\n{rows}")
    result = find(star, keep="best-ctf")
    assert result.kept.tolist() == [False, True, True, True]
    assert kinds(result) == {"a.mrc": ("z.mrc", "same file")}


def test_versions_have_no_place_in_a_window(tmp_path: Path) -> None:
    """Every third exposure looks at the same area; with their versions between them they would be six apart."""
    paths = [save(tmp_path / f"x{k}{mark}.mrc", whole(k, k, k % 3)) for k in range(6) for mark in ("", "_DW")]
    result = find(*paths, images_per_move=3, images_per_hole=3, scan_range=3)
    assert [(Path(result.names[one.first]).name, Path(result.names[one.second]).name) for one in result.duplicates] == [
        (f"x{k}_DW.mrc", f"x{k + 3}_DW.mrc") for k in range(3)
    ]
    result.write(tmp_path / "out")
    with (tmp_path / "out" / "ccc.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [bool(row["+3"]) for row in table] == [Path(row["Micrograph"]).name in {f"x{k}_DW.mrc" for k in range(3)} for row in table]
