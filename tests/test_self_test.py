"""The self-test: second exposures correlate as they should, many are found in bright sessions and none in noise, and nothing else depends on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cases import Ran
from cryodedup import InputError, MicrographParams, MicrographResult, find_duplicate_micrographs
from cryodedup.demo.micrographs import BIN, Planted, make_micrographs
from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.compare import Pair
from cryodedup.micrographs.planting import DAMAGE, OVERLAPS, Planter, common, drawn
from cryodedup.micrographs.planting import Planted as Second
from cryodedup.micrographs.self_test import MAX_MICROGRAPHS, MIN_MICROGRAPHS, chosen, implied
from cryodedup.micrographs.self_test_score import Band, Score, SelfTest
from cryodedup.micrographs.sentences import self_test

PARAMS = MicrographParams(bin=BIN, self_test=True)
SIZE = (96, 64)
RINGS = 32


@pytest.fixture(autouse=True, scope="module")
def one_round() -> Iterator[None]:
    """Small sessions have several, which takes longer and shows nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cryodedup.micrographs.self_test.MAX_ROUNDS", 1)
        yield


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return make_micrographs(tmp_path_factory.mktemp("session"))


@pytest.fixture(scope="module")
def tested(session: Planted) -> MicrographResult:
    return find_duplicate_micrographs(session.star, PARAMS)


def noise(directory: Path, n: int) -> Path:
    directory.mkdir()
    rng = np.random.default_rng(5)
    for k in range(n):
        with mrcfile.new(directory / f"mic_{k:03d}.mrc") as file:
            file.set_data(rng.normal(100, 10, (256, 360)).astype(np.float32))
    return directory


def image(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=SIZE[::-1])


@pytest.mark.parametrize("move", [(20, 13), (-20, 13), (31, -8), (0, -40), (-95, 63)])
def test_a_second_exposure_shows_the_original_moved_as_strongly_as_its_signal(move: tuple[int, int]) -> None:
    original, host = image(1), image(2)
    made = Planter(SIZE, RINGS).second_exposure(original, host, move, np.full(RINGS, 0.9))
    of_second, of_original = common(move, SIZE)
    outside = np.ones(SIZE[::-1], bool)
    outside[of_second] = False
    assert (made[outside] == host[outside]).all()
    if made[of_second].size > 500:
        assert np.corrcoef(made[of_second].ravel(), original[of_original].ravel())[0, 1] == pytest.approx(0.9 * DAMAGE, abs=0.06)
        assert made[of_second].std() == pytest.approx(1, abs=0.06)
    # A pixel p of the second exposure lies at p + move of the original.
    y, x = of_second[0].start, of_second[1].start
    assert (of_original[1].start, of_original[0].start) == (x + move[0], y + move[1])


def test_without_signal_the_host_stays_and_masked_pixels_stay_masked() -> None:
    original, host = image(1), image(2)
    host[:, :10], original[:, -10:] = 0, 0
    planter = Planter(SIZE, RINGS)
    expected = host.copy()
    expected[:-5, 66:76] = 0  # where the original's last columns come to lie
    assert planter.second_exposure(original, host, (20, 5), np.zeros(RINGS)) == pytest.approx(expected, abs=1e-9)
    made = planter.second_exposure(original, host, (20, 5), np.ones(RINGS))
    assert not made[:, :10].any()
    assert not made[:-5, 66:76].any()


def known(holes: int, shots: int) -> list[Acquisition]:
    return [Acquisition(hole=str(hole), shot=str(shot)) for hole in range(holes) for shot in range(shots)]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("max_shift_reduced_px", [None, 25.0])
def test_the_plan(named: bool, max_shift_reduced_px: float | None) -> None:
    acquisitions = known(20, 3) if named else [Acquisition()] * 60
    same = {(0, 57), (1, 58), (2, 59)}
    distances = [12, 15, 24]
    for turn in range(6):
        for window in (None, distances):
            made = drawn(
                range(60),
                acquisitions,
                SIZE,
                same,
                number=21,
                turn=turn,
                distances=window,
                ordinals=list(range(60)),
                max_shift_reduced_px=max_shift_reduced_px,
            )
            assert len(made) == 21
            used = [row for one in made for row in (one.original, one.host)]
            assert len(set(used)) == len(used)
            assert all(one.original < one.host and (one.original, one.host) not in same for one in made)
            assert all(window is None or one.host - one.original in window for one in made)
            assert max_shift_reduced_px is None or all(max(map(abs, one.move)) <= max_shift_reduced_px for one in made)
            if named:
                assert all(acquisitions[one.original].shot == acquisitions[one.host].shot for one in made)
                holes = {(acquisitions[one.original].hole, acquisitions[one.host].hole) for one in made}
                assert len(holes) == 7
            if max_shift_reduced_px is None:
                counts = [sum(low - 0.05 <= one.overlap <= high + 0.05 for one in made) for low, high in OVERLAPS]
                assert min(counts) >= 6


def test_of_a_large_session_runs_of_neighbours_are_taken() -> None:
    assert chosen(40) == list(range(40))
    taken = chosen(5000)
    assert (len(taken), taken[0], taken[-1]) == (MAX_MICROGRAPHS, 0, 4999)
    assert taken == sorted(set(taken))
    assert sum(b - a > 1 for a, b in pairwise(taken)) == 2
    assert len(set(chosen(MAX_MICROGRAPHS + 1))) == MAX_MICROGRAPHS


def pair(first: int, second: int, shift: tuple[float, float], overlap: float = 0.7) -> Pair:
    return Pair(first, second, 20.0, 1e-9, 0.3, 0.2, overlap, shift)


def test_what_counts_as_found_and_as_false() -> None:
    """0 and 1 are known duplicates; 5 is a second exposure of 0 in place of 5, 6 one of 2, 7 one of 3."""
    score = Score([f"m{k}" for k in range(9)], [(0, 1)], MicrographParams(bin=2))
    planted = [Second(0, 5, (10, -6), 0.7), Second(2, 6, (4, 4), 0.4), Second(3, 7, (9, 9), 0.2)]
    pairs = [
        pair(0, 1, (0.0, 0.0)),
        pair(5, 0, (-20.0, 13.0)),  # turned, and off by half a reduced pixel
        pair(1, 5, (1.0, 1.0)),  # by way of 0
        pair(2, 6, (40.0, 8.0)),  # at another place
        pair(4, 8, (1.0, 1.0)),  # two of the session's own
        pair(4, 7, (1.0, 1.0), overlap=0.3),
    ]
    score.add(planted, pairs)
    score.add(planted[:1], [pair(4, 8, (1.0, 1.0))])
    result = score.result(micrographs=9, fdr=0.01, by_hole=False)
    assert [(band.planted, band.found) for band in result.bands] == [(2, 1), (1, 0), (1, 0)]
    assert (result.rounds, result.planted, result.own_false) == (2, 4, 1)
    assert result.false_pairs == (
        ("m4", "m8"),
        ("m2", "second exposure of m2 in place of m6"),
        ("m4", "second exposure of m3 in place of m7"),
    )
    # In both rounds 8 is removed for 4. 6 is removed for 2, which it shows.
    assert result.removed_wrongly == 2


def test_a_bright_session_finds_its_second_exposures(session: Planted, tested: MicrographResult) -> None:
    found = tested.self_test
    assert found is not None
    assert not found.reason
    assert found.by_hole
    assert found.micrographs == len(tested.kept)
    assert found.planted >= 12
    strong, middle, weak = found.bands
    assert strong.recall == 1
    assert middle.recall is not None
    assert middle.recall >= 0.9
    assert weak.recall is not None
    assert strong.median_z is not None
    assert weak.median_z is not None
    assert strong.median_z > weak.median_z
    assert (len(found.false_pairs), found.removed_wrongly) == (0, 0)
    # The result itself is the one without it.
    assert session.compare(tested)[:2] == (len(session.pairs), 0)


def test_threads_change_nothing(session: Planted, tested: MicrographResult) -> None:
    assert find_duplicate_micrographs(session.star, replace(PARAMS, threads=1)).self_test == tested.self_test


def test_in_noise_nothing_is_found(tmp_path: Path) -> None:
    found = find_duplicate_micrographs(noise(tmp_path / "noise", 24), MicrographParams(bin=1, self_test=True)).self_test
    assert found is not None
    assert found.planted == 8
    assert sum(band.found for band in found.bands) == 0
    assert len(found.false_pairs) == 0


@pytest.mark.parametrize("n", [1, 8])
def test_small_sessions_say_that_more_is_needed(tmp_path: Path, command: Callable[..., Ran], n: int) -> None:
    ran = command("micrographs", noise(tmp_path / "few", n), "--bin", 1, "--self-test", "-o", tmp_path / "out")
    assert ran.status == 0
    assert f"needs at least {MIN_MICROGRAPHS}" in ran.out
    assert set(json.loads((tmp_path / "out" / "summary.json").read_text())["self_test"]) == {"reason"}
    assert "No result: the self-test needs at least" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize("options", [("--images-per-move", 3, "--images-per-hole", 3, "--scan-range", 30), ("--threshold", 0.15)])
def test_window_and_threshold(session: Planted, tmp_path: Path, command: Callable[..., Ran], options: tuple[object, ...]) -> None:
    ran = command(
        "micrographs", session.star, "--bin", BIN, "--self-test", "-o", tmp_path / "out", "--max-removed", 1, "--no-report", *options
    )
    assert ran.status == 0
    told = json.loads((tmp_path / "out" / "summary.json").read_text())["self_test"]
    assert told["recall"][0]["planted"] >= 3
    assert told["recall"][0]["recall"] >= (0.7 if "--threshold" not in options else 0)


def test_the_summary_the_page_and_the_terminal(tested: MicrographResult, tmp_path: Path) -> None:
    tested.write(tmp_path / "out")
    told = json.loads((tmp_path / "out" / "summary.json").read_text())["self_test"]
    assert set(told) == {
        "micrographs", "rounds", "fdr", "planted", "planted_by_hole", "recall", "false_pairs", "false_pairs_of_own_micrographs",
        "false_pairs_named", "removed_wrongly", "kept_of_correlation", "kept_measured_on_pairs", "pairs_implied_by_others",
    }  # fmt: skip
    assert [set(band) for band in told["recall"]] == [{"overlap", "planted", "found", "recall", "median_z"}] * 3
    page = (tmp_path / "out" / "report.html").read_text()
    assert '<h2 id="self-test">Self-test</h2>' in page
    assert tested.self_test is not None
    assert f"{told['planted']} second exposures planted" in self_test(tested.self_test)
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith("self-test")]


def test_it_is_off_unless_asked_for(session: Planted) -> None:
    result = find_duplicate_micrographs(session.star, MicrographParams(bin=BIN))
    assert result.self_test is None
    assert result.summary()["self_test"] is None
    with pytest.raises(InputError, match="self_test: found 1"):
        MicrographParams(self_test=1)  # type: ignore[arg-type]


def test_planted_exposures_lie_as_the_sessions_own_pairs_and_keep_as_much(session: Planted, tested: MicrographResult) -> None:
    found = tested.self_test
    assert found is not None
    assert found.measured_on == len(session.pairs)
    assert 0.5 < found.damage <= 1.25
    assert "as strong as the 9 pairs of this session" in self_test(found)
    planted = drawn(range(24), [Acquisition()] * 24, SIZE, set(), number=8, turn=0, distances=None, ordinals=range(24), max_shift_reduced_px=None,
                   own_moves=[(0.4, -0.3)])  # fmt: skip
    assert [one.move for one in planted[1::2]] == [(0, 0)] * 4
    assert all(one.move != (0, 0) for one in planted[::2])


def test_what_is_planted_in_noise_is_of_no_known_strength(tmp_path: Path) -> None:
    found = find_duplicate_micrographs(noise(tmp_path / "noise", 24), MicrographParams(bin=1, self_test=True)).self_test
    assert found is not None
    assert (found.measured_on, found.damage, found.implied) == (0, 0.75, (0, 0))
    assert "the self-test cannot tell" in self_test(found)


def test_pairs_that_others_imply() -> None:
    """0, 1, 2 and 3 along a line, 100 reduced pixels apart; 0 and 3 share too little."""
    pairs = [Pair(k, k + 1, 9.0 - k, 0, 0, 0, 0.6, (200.0, 0.0)) for k in range(3)]
    assert implied(pairs, (300, 200), 2, 0.3) == (2, 0)
    assert implied([*pairs, Pair(2, 0, 5.0, 0, 0, 0, 0.3, (-400.0, 0.0))], (300, 200), 2, 0.3) == (2, 1)
    assert implied(pairs[:1], (300, 200), 2, 0.3) == (0, 0)
    bands = tuple(Band((low, 1.0), 10, 10, 9.0) for low in (0.5, 0.3, 0.15))
    assert "20 of 20 planted second exposures were found, but 4 of 8 pairs" in SelfTest(bands=bands, implied=(8, 4)).contradiction
    assert not SelfTest(bands=bands, implied=(8, 7)).contradiction
    assert not SelfTest(bands=bands, implied=(3, 0)).contradiction, "too few"
