"""Duplicate micrographs: oracle, shifts, statistics, sets, and the whole job on small simulated sessions."""

from __future__ import annotations

import csv
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cases import SHARED, needs_shared
from cryodedup import InputError, MicrographParams, _core, correlate, find_duplicate_micrographs, prepare
from cryodedup.components import connected_components
from cryodedup.demo.micrographs import BIN, Planted, make_micrographs
from cryodedup.micrographs.blocks import window_distances, window_pairs
from cryodedup.micrographs.headers import open_micrographs
from cryodedup.micrographs.prepared import cache_at, read_all
from cryodedup.progress import SILENT

IMOD = SHARED / "reference" / "imod"
PARAMS = MicrographParams(bin=BIN)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return make_micrographs(tmp_path_factory.mktemp("session"))


def scene(seed: int, shape: tuple[int, int] = (200, 240)) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def direct(first: np.ndarray, second: np.ndarray) -> tuple[tuple[int, int], float]:
    """The move of the second and its ncc at the highest overlap-weighted sum, by the plainest means."""
    first, second = (image - image.mean() for image in (first, second))
    ny, nx = first.shape
    best = (-np.inf, (0, 0), 0.0)
    for y in range(-ny + 1, ny):
        for x in range(-nx + 1, nx):
            a = first[max(0, y) : ny + min(0, y), max(0, x) : nx + min(0, x)].astype(float)
            b = second[max(0, -y) : ny + min(0, -y), max(0, -x) : nx + min(0, -x)].astype(float)
            if (1 - abs(x) / nx) * (1 - abs(y) / ny) < 0.1:
                continue
            height = (a * b).sum() / np.sqrt((1 - abs(x) / nx) * (1 - abs(y) / ny))
            if height > best[0]:
                best = (height, (x, y), float(np.corrcoef(a.ravel(), b.ravel())[0, 1]))
    return best[1], best[2]


@pytest.mark.parametrize("shape", [(24, 30), (27, 16), (32, 32), (17, 23)])
def test_correlation_is_the_direct_one(shape: tuple[int, int]) -> None:
    world = scene(3, (60, 60))
    first = world[: shape[0], : shape[1]]
    for second in (world[5 : 5 + shape[0], 3 : 3 + shape[1]] + 0.5 * scene(5, shape), scene(4, shape)):
        found = correlate(first, second)
        move, ncc = direct(first, second)
        assert tuple(round(value) for value in found.shift_px) == move
        assert found.ncc == pytest.approx(ncc, abs=1e-5)


def test_an_image_and_itself_its_negative_a_flat_one_and_swapped_ones() -> None:
    image = scene(1)
    same = correlate(image, image)
    assert (same.ncc, same.ccc, same.overlap) == pytest.approx((1, 1, 1))
    assert same.shift_px == pytest.approx((0, 0), abs=1e-6)
    negative = correlate(image, -image, max_shift_px=0)
    assert (negative.ncc, negative.ccc) == pytest.approx((-1, -1))
    for flat in (np.zeros_like(image), np.full_like(image, 7)):
        found = correlate(image, flat)
        assert np.isfinite([*found.shift_px, found.ncc, found.ccc, found.z]).all()
        assert found.ccc == 0
    first, second = image[:160, :200], image[25:185, 11:211]
    there, back = correlate(first, second), correlate(second, first)
    assert there.shift_px == pytest.approx((11, 25), abs=0.05)
    assert back.shift_px == pytest.approx((-11, -25), abs=0.05)
    assert there.ccc == pytest.approx(there.overlap * there.ncc, abs=0.1)


def test_significance_of_noise_is_below_that_of_a_maximum_over_all_shifts() -> None:
    """P(max over M shifts < z) = Φ(z)^M for the whole overlap, about 4 for the 0.8 · 128² places of a 64 x 64 pair; less without its best block."""
    heights = np.array([correlate(scene(2 * k, (64, 64)), scene(2 * k + 1, (64, 64))).z for k in range(150)])
    assert 2.8 < np.median(heights) < 3.7
    assert (heights > 6).sum() == 0


def test_significance_of_a_pair_is_that_of_its_overlap_and_a_bright_spot_in_one_block_has_none() -> None:
    image = scene(1, (128, 128))
    found = correlate(image, 0.4 * image + scene(2, (128, 128)))
    assert found.z == pytest.approx(np.arctanh(found.ncc) * 128, rel=0.12)
    first, second = 0.1 * scene(3, (128, 128)), 0.1 * scene(4, (128, 128))
    # Within one of the 6 x 6 blocks: one that lies on the edge of two is only halved, and has z 17 here.
    first[46:52, 46:52], second[46:52, 46:52] = 5, 5
    spot = correlate(first, second)
    assert spot.ncc > 0.8
    assert abs(spot.z) < 4


@pytest.mark.parametrize(
    "call",
    [lambda: prepare(np.zeros(5)), lambda: correlate(np.zeros((4, 4)), np.zeros((4, 5))), lambda: prepare(np.full((64, 64), np.nan))],
)
def test_arrays_that_are_no_images_are_refused(call: object) -> None:
    with pytest.raises(InputError, match="found"):
        call()  # type: ignore[operator]


def test_blank_images_are_prepared_to_zeros() -> None:
    assert not prepare(np.full((80, 96), 3.0), MicrographParams(bin=4)).any()


def test_all_planted_pairs_are_found_and_moves_are_right(session: Planted) -> None:
    result = find_duplicate_micrographs(session.star, PARAMS)
    found, others, error = session.compare(result)
    assert (found, others) == (len(session.pairs), 0)
    assert error < BIN
    assert all(pair.shot_agreement == "3 of 3" for pair in result.pairs)
    assert all(pair.q <= 0.01 for pair in result.pairs)


def test_neither_threads_nor_input_order_change_anything(session: Planted) -> None:
    files = sorted((session.star.parent / "Micrographs").glob("*.mrc"))
    shuffled = [files[i] for i in np.random.default_rng(1).permutation(len(files))]

    def told(paths: list[Path], threads: int) -> list[tuple[object, ...]]:
        result = find_duplicate_micrographs(paths, MicrographParams(bin=BIN, threads=threads))
        return [(result.names[p.first], result.names[p.second], p.z, p.q, p.ccc, p.ncc, p.shift_px, p.set) for p in result.pairs]

    first = told(files, 1)
    assert first == told(files, 2) == told(files, 7) == told(shuffled, 2)


def test_screening_finds_what_looking_closely_at_all_finds(session: Planted) -> None:
    every = find_duplicate_micrographs(session.star, PARAMS)
    groups = find_duplicate_micrographs(session.star, MicrographParams(bin=BIN, sensitivity="fast"))
    assert groups.compared[0].screening["grid"] == (128, 96)
    assert groups.compared[0].screening["group_size"] > 1
    # Shots of a hole bring each other in again.
    assert {(p.first, p.second) for p in groups.pairs} == {(p.first, p.second) for p in every.pairs}


def test_max_shift(session: Planted) -> None:
    far = {names for names, move in session.pairs.items() if max(map(abs, move)) > 90}
    assert far
    result = find_duplicate_micrographs(session.star, MicrographParams(bin=BIN, max_shift_px=80))
    # Of one of those too far off an edge fits at the limit, too, and its other shots contradict it.
    sure = {
        (Path(result.names[p.first]).name, Path(result.names[p.second]).name) for p in result.pairs if p.shot_agreement != "contradicted"
    }
    assert sure == session.pairs.keys() - far
    assert all(max(map(abs, p.shift_px)) <= 84 for p in result.pairs)


def test_threshold_decides_by_ccc(session: Planted) -> None:
    result = find_duplicate_micrographs(session.star, MicrographParams(bin=BIN, threshold=0.17))
    every = find_duplicate_micrographs(session.star, PARAMS)
    assert {p.first for p in result.pairs} == {p.first for p in every.pairs if p.ccc >= 0.17}


@pytest.mark.parametrize(("move", "hole", "reach"), [(1, 1, 5), (1, 4, 13), (16, 4, 48), (7, 3, 20), (5, 1, 5), (3, 9, 2)])
def test_the_window_for_every_three_numbers(move: int, hole: int, reach: int) -> None:
    params = MicrographParams(search="window", images_per_move=move, images_per_hole=hole, scan_range=reach)
    distances = window_distances(params, 60)
    screener = set(range(move, reach + 1, hole))
    assert screener <= set(distances)
    assert {d for d in range(move, reach + 1) if d % hole == 0} <= set(distances)
    pairs, _ = window_pairs(range(60), params)
    assert len(set(map(tuple, pairs.tolist()))) == len(pairs) == sum(60 - d for d in distances)


def test_the_window_of_the_screeners_readme() -> None:
    assert len(window_pairs(range(5000), MicrographParams(search="window"))[0]) == 44_712


def test_a_hole_of_four_shots_is_found_with_one_image_a_move(session: Planted) -> None:
    """The screener compares no true pair with images_per_move 1 and images_per_hole 4."""
    params = MicrographParams(bin=BIN, search="window", images_per_move=1, images_per_hole=3, scan_range=44)
    found, others, _ = session.compare(find_duplicate_micrographs(session.star, params))
    assert (found, others) == (len(session.pairs), 0)


def test_shifts_beyond_half_the_frame_do_not_alias() -> None:
    """Those of the screener do, beyond half of its padded frame."""
    world = scene(8, (300, 400))
    found = correlate(world[:150, :200], world[100:250, 20:220])
    assert found.shift_px == pytest.approx((20, 100), abs=0.05)
    assert found.overlap == pytest.approx(0.3)
    found = correlate(world[:150, :200], world[10:160, 150:350])
    assert found.shift_px == pytest.approx((150, 10), abs=0.05)


def test_sets_of_three() -> None:
    assert connected_components([(0, 4), (4, 2), (1, 3)]) == [[0, 2, 4], [1, 3]]


def test_nothing_is_found_among_unrelated_noise(tmp_path: Path) -> None:
    import mrcfile

    for k in range(30):
        with mrcfile.new(tmp_path / f"{k:02}.mrc") as file:
            file.set_data(100 + scene(k, (256, 320)))
    assert find_duplicate_micrographs(tmp_path, MicrographParams(bin=2)).pairs == ()


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_few_micrographs_of_noise_are_no_duplicates_and_few_of_one_scene_are(n: int, tmp_path: Path) -> None:
    import mrcfile

    world = 30 * scene(99, (360, 400))
    for k in range(3 * n):
        moved = 12 * (k % n)  # nearer to zero, two or three could show the camera's pattern
        image = 1000 + 30 * scene(k, (256, 300)) + (world[moved : 256 + moved, moved : 300 + moved] if k >= 2 * n else 0)
        folder = tmp_path / f"{k // n}"
        folder.mkdir(exist_ok=True)
        with mrcfile.new(folder / f"{k:02}.mrc") as file:
            file.set_data(image.astype(np.float32))
    for folder in ("0", "1"):
        assert find_duplicate_micrographs(tmp_path / folder, MicrographParams(bin=2)).pairs == ()
    same = find_duplicate_micrographs(tmp_path / "2", MicrographParams(bin=2))
    assert len(same.pairs) == n * (n - 1) / 2


@pytest.mark.parametrize("n", [2, 4, 9, 20])
def test_the_pattern_of_the_camera_makes_no_duplicates_of_few_micrographs(n: int, tmp_path: Path) -> None:
    import mrcfile

    pattern = np.random.default_rng(5).normal(0, 30 if n > 3 else 10, (256, 300))
    for k in range(n):
        with mrcfile.new(tmp_path / f"{k:02}.mrc") as file:
            file.set_data((1000 + 30 * scene(k + 10, (256, 300)) + pattern).astype(np.float32))
    found = find_duplicate_micrographs(tmp_path, MicrographParams(bin=2))
    assert found.pairs == ()
    assert any("at zero shift" in warning for warning in found.warnings)


@pytest.mark.parametrize(("n", "params"), [(3000, {}), (400, {"images_per_move": 1, "images_per_hole": 1, "scan_range": 400})])
def test_a_windows_decoys_are_of_many_micrographs(n: int, params: dict[str, int]) -> None:
    pairs, found = window_pairs(range(n), MicrographParams(search="window", **params))
    assert 7_000 < len(found) <= 10_000
    assert {tuple(pair) for pair in found.tolist()} <= {tuple(pair) for pair in pairs.tolist()}
    firsts, counts = np.unique(found[:, 0], return_counts=True)
    assert len(firsts) >= 350
    assert counts.max() <= 20
    assert all(abs(np.mean(firsts % 4 == shot) - 0.25) < 0.06 for shot in range(4))


@needs_shared
def test_shifts_and_coefficients_of_imod() -> None:
    with (IMOD / "pairs_imod5.csv").open() as file:
        reference = {(row["name_i"], row["name_j"]): row for row in csv.DictReader(file)}
    with (IMOD / "true_pairs.csv").open() as file:
        true = {(row["name_i"], row["name_j"]) for row in csv.DictReader(file)}
    result = find_duplicate_micrographs(IMOD / "frames", PARAMS)
    assert {(Path(result.names[p.first]).name, Path(result.names[p.second]).name) for p in result.pairs} == true
    for pair in result.pairs:
        row = reference[Path(result.names[pair.first]).name, Path(result.names[pair.second]).name]
        assert pair.ccc == pytest.approx(float(row["ccc"]), abs=0.05)
        assert np.array(pair.shift_px) / 2 == pytest.approx([float(row["dx"]), float(row["dy"])], abs=0.3)


@needs_shared
@pytest.mark.parametrize("width", [2, 3, 4, 8])
def test_reduction_is_that_of_newstack(width: int) -> None:
    import mrcfile

    expected = mrcfile.read(IMOD / f"odd_bin{width}.mrc")
    frame = _core.Frame(IMOD / "odd_515x363.mrc", start=1024, mode=2, nx=515, ny=363)
    found = _core.reduce_frame(frame, bin=width)
    assert found.shape == expected.shape
    assert np.allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(("scale", "mean"), [(1, 1), (1, 10), (1, -1000), (1e18, 0), (1e-18, 1e-17), (1e200, 1e201)])
def test_neither_brightness_nor_contrast_changes_a_correlation(scale: float, mean: float) -> None:
    world = np.random.default_rng(1).normal(size=(150, 180))
    first, second = world[:128, :128], world[20:148, 30:158] + 0.5 * np.random.default_rng(2).normal(size=(128, 128))
    expected, found = correlate(first, second), correlate(scale * first + mean, second)
    assert [round(value) for value in found.shift_px] == [30, 20]
    assert (found.ncc, found.z) == pytest.approx((expected.ncc, expected.z), rel=1e-4)


@pytest.mark.parametrize("work", [lambda image: correlate(image, image), lambda image: prepare(image, MicrographParams(bin=1))])
def test_other_threads_run_on_meanwhile(work: Callable[[np.ndarray], object]) -> None:
    image = np.random.default_rng(1).normal(size=(1500, 1500)).astype(np.float32)
    done = threading.Event()
    thread = threading.Thread(target=lambda: (work(image), done.set()))
    thread.start()
    ticks = 0
    while not done.wait(0.001):
        ticks += 1
    thread.join()
    assert ticks > 20, "while the images are transformed, which takes a tenth of a second or more"


def test_what_is_measured_of_a_pair_does_not_depend_on_the_other_pairs(session: Planted, tmp_path: Path) -> None:
    with cache_at(tmp_path / "cache") as place:
        opened = open_micrographs(session.star, PARAMS, SILENT)
        records = list(read_all(opened, PARAMS, place, False, SILENT).records.values())[:13]
        loaded = _core.Session.load(records, band=PARAMS.search_band, maps=[], threads=1)
        pairs = np.array([(0, 1), (0, 3), (1, 2), (2, 12), (3, 6), (5, 6)], np.uint32)

        def measured(pairs: np.ndarray) -> _core.Confirmed:
            places = SimpleNamespace(pairs=pairs, shift_reduced_px=np.full((len(pairs), 2), 20.0), turn_deg=np.zeros(len(pairs)))
            return loaded.confirm(places, band=PARAMS.band, threads=1)

        among_others = measured(pairs)
        for k in range(len(pairs)):
            alone = measured(pairs[k : k + 1])
            assert (alone.ncc[0], alone.ccc[0], *alone.shift_reduced_px[0]) == (
                among_others.ncc[k],
                among_others.ccc[k],
                *among_others.shift_reduced_px[k],
            )


def test_the_two_lines_of_the_screeners_readme(session: Planted, tmp_path: Path) -> None:
    result = find_duplicate_micrographs(session.star, PARAMS)
    result.write(tmp_path / "out")
    script = f"grep -v Duplicate {tmp_path}/out/duplicates.csv | awk -F, '{{print $2}}'"
    removed = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert removed == [result.names[pair.second] for pair in result.pairs]
    assert sorted(removed) == sorted((tmp_path / "out" / "micrographs_removed.txt").read_text().split())
