"""The suggested minimum separation: right or withheld, never wrong; `benches/separation.py` measures how often."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import Ran, needs_shared, star
from cryodedup import ParticleParams, deduplicate, deduplicate_particles
from cryodedup.demo import make_session
from cryodedup.particles.analysis.neighbours import pair_distances, sampled
from cryodedup.particles.analysis.separation import Suggestion, lattice_spacing, suggest


def suggestion_of(points: list[np.ndarray]) -> Suggestion:
    """Of particles in micrographs, (n, 2) or (n, 3) each."""
    return suggest(np.concatenate(points), np.repeat(np.arange(len(points), dtype=np.uint32), [len(some) for some in points]))


def check_right(suggestion: Suggestion, low: float, high: float) -> None:
    """It lies between the end of duplicates and the start of neighbours, and these are called the usual ones."""
    assert suggestion.suggested_a is not None
    assert low < suggestion.suggested_a < high
    assert suggestion.usual_distance_a is not None
    assert suggestion.usual_distance_a > 0.95 * high
    assert not suggestion.no_gap
    assert not suggestion.warnings(suggestion.suggested_a, 10, 20)


def packed(rng: np.random.Generator, n: int, apart: float, side: float = 4000.0) -> np.ndarray:
    """At most n points of a square that are so far apart."""
    points = np.empty((0, 2))
    for point in rng.uniform(0, side, (20 * n, 2)):
        if len(points) < n and (not len(points) or np.hypot(*(points - point).T).min() > apart):
            points = np.vstack([points, point])
    return points


def on_lattice(points: np.ndarray, step: float, offset: float = 0.0) -> np.ndarray:
    return np.round((points - offset) / step) * step + offset


# What the issue names: a lattice, small sets, no duplicates, the real sets.


@pytest.mark.parametrize("offset", [0.0, 2.5, 5.0])
@pytest.mark.parametrize("jitter", [1.0, 3.0, 8.0])
def test_pickers_on_a_lattice_of_10_a(jitter: float, offset: float) -> None:
    """Between one distance of the lattice and the next there is no valley, whether the two lattices meet or not."""
    rng = np.random.default_rng(3)
    pickers: list[list[np.ndarray]] = [[], []]
    for _ in range(6):
        once = packed(rng, 150, 150)
        for picks, start in zip(pickers, (0.0, offset), strict=True):
            some = once[rng.random(len(once)) < 0.8]
            picks.append(on_lattice(some + rng.normal(0, jitter, some.shape), 10, start))
    groups = [np.full(len(some), k % 6, np.uint32) for k, some in enumerate([*pickers[0], *pickers[1]])]
    suggestion = suggest(np.concatenate([*pickers[0], *pickers[1]]), np.concatenate(groups))
    check_right(suggestion, 14, 150)
    assert suggestion.lattice_a == pytest.approx(10, rel=0.01)


@pytest.mark.parametrize("step", [0.0, 1.0, 10.0])
@pytest.mark.parametrize("seed", range(10))
def test_60_picks_with_12_duplicates(seed: int, step: float) -> None:
    """Duplicates are never called the usual distance of neighbours."""
    rng = np.random.default_rng(seed)
    once = packed(rng, 48, 150, 3000)
    points = np.concatenate([once, once[:12] + rng.normal(0, 6, (12, 2))])
    suggestion = suggestion_of([on_lattice(points, step) if step else points])
    assert suggestion.usual_distance_a is None or suggestion.usual_distance_a > 140
    if suggestion.suggested_a is not None:
        check_right(suggestion, 15, 160)


def test_a_lattice_is_measured_whatever_the_offsets() -> None:
    rng = np.random.default_rng(0)
    free = rng.uniform(0, 4000, (3000, 2))
    assert lattice_spacing(free, 100) == 0
    assert lattice_spacing(on_lattice(free, 9.99, 3.3), 100) == pytest.approx(9.99, rel=1e-3)
    for offset in (0.0, 5 / 3, 2.5, 10 / 3, 5.0):
        two = np.concatenate([on_lattice(free[:1500], 10.0), on_lattice(free[1500:], 10.0, offset)])
        assert lattice_spacing(two, 100) == pytest.approx(10, rel=2e-3)
    mixed = np.concatenate([on_lattice(free[:1000], 7.0), on_lattice(free[1000:2000], 11.0, 4.0), free[2000:]])
    assert lattice_spacing(mixed, 100) == pytest.approx(11, rel=1e-3)
    assert lattice_spacing(np.round(free, 2), 100) == 0


REAL_PAIRS = [
    ("sppractice/AutoPick/job008/autopick.star", "none", 10.0),
    ("sppractice/Class2D/job010/run_it025_data.star", "none", 10.0),
    ("sppractice/Class2D/job010/run_it025_data.star", "alignments2D", None),
]


@needs_shared
@pytest.mark.parametrize(("first", "shifts", "lattice"), REAL_PAIRS)
def test_two_real_sets_on_the_same_micrographs(real: Path, first: str, shifts: str, lattice: float | None) -> None:
    """Their curve of particles kept has its knee at about 70 Å, and falls again from 140 Å on."""
    sizes = real / "sppractice/CtfFind/job005/micrographs_ctf.star"
    params = ParticleParams(min_separation_a=1, micrographs=sizes, shift_key=shifts)  # type: ignore[arg-type]
    suggestion = deduplicate_particles([real / first, real / "em-testdata/run_it025_data.star"], params).analysis.suggestion
    check_right(suggestion, 70, 140)
    assert suggestion.lattice_a == (None if lattice is None else pytest.approx(lattice, rel=0.01))


@needs_shared
@pytest.mark.parametrize("name", ["sppractice/Class2D/job010/run_it025_data.star", "em-testdata/run_it025_data.star"])
def test_one_real_set_without_duplicates(real: Path, name: str) -> None:
    sizes = real / "sppractice/CtfFind/job005/micrographs_ctf.star"
    suggestion = deduplicate_particles(real / name, ParticleParams(micrographs=sizes)).analysis.suggestion
    assert suggestion.no_peak
    assert suggestion.usual_distance_a is not None
    assert 145 < suggestion.usual_distance_a < 175


@needs_shared
def test_tomograms_with_particles_in_clumps(real: Path) -> None:
    """5 % of the particles have a neighbour within 40 Å, nearly all others from 100 on; the clumps, which end at 2,800, are no duplicates."""
    path = real / "dynamo2m/warp2dynamo_example.star"
    suggestion = deduplicate_particles(path, ParticleParams(min_separation_a=5)).analysis.suggestion
    assert suggestion.first_descent_end_a == pytest.approx(41, abs=2.5)
    check_right(suggestion, 40, 125)


@pytest.mark.parametrize("kind", ["vesicles", "patches"])
@pytest.mark.parametrize(("radius", "per"), [(300.0, 100), (550.0, 100), (900.0, 40), (900.0, 400)])
def test_clusters_in_tomograms_are_no_duplicates(kind: str, radius: float, per: int) -> None:
    """No pair is within 75 Å; how far a cluster reaches is not the end of duplicates."""
    rng = np.random.default_rng(1)
    points = []
    for _ in range(6):
        clusters = []
        for centre in rng.uniform(0, 1, (4, 3)) * [6000, 6000, 2000]:
            directions = rng.normal(size=(per, 3))
            shell = directions / np.linalg.norm(directions, axis=1, keepdims=True)
            clusters.append(centre + radius * (shell if kind == "vesicles" else rng.uniform(-1, 1, (per, 3))))
        once = np.concatenate(clusters)
        points.append(once[deduplicate(once, min_separation_a=75.0).kept])
    suggestion = suggestion_of(points)
    assert (suggestion.suggested_a, suggestion.first_descent_end_a, suggestion.no_gap) == (None, None, False)


# What is said.


NO_PEAK = Suggestion(usual_distance_a=160.0)
PEAK = Suggestion(suggested_a=90.0, usual_distance_a=160.0, first_descent_end_a=60.0, second_descent_start_a=130.0)
NO_GAP = Suggestion(first_descent_end_a=60.0)


def test_warnings_say_what_was_seen_what_it_means_and_what_to_do() -> None:
    assert PEAK.warnings(100, 500, 1000) == []
    assert PEAK.warnings(250, 500, 1000) == [
        "the minimum separation, 250 Å, is above the usual distance of neighbours, 160 Å: particles that are not duplicates are rejected;"
        " choose 90 Å"
    ]
    assert NO_PEAK.warnings(100, 10, 1000) == []
    assert NO_PEAK.warnings(100, 11, 1000) == [
        "no peak of duplicates stands out from the distances of neighbours, and 1.1 % of the particles are rejected: these are probably"
        " neighbours, not duplicates; choose a minimum separation below 100 Å, or keep all"
    ]
    assert len(NO_PEAK.warnings(250, 500, 1000)) == 2
    assert NO_GAP.warnings(250, 500, 1000) == Suggestion().warnings(250, 500, 1000) == []


@pytest.mark.parametrize(("separation", "left"), [(4, 3386), (20, 313)])
def test_a_separation_that_leaves_duplicates_warns(separation: int, left: int, tmp_path: Path, command: Callable[..., Ran]) -> None:
    """Three pickers whose duplicates end at 35 Å; the number is what the suggested separation rejects of the kept particles."""
    paths = make_session(tmp_path).paths
    said = f"the minimum separation, {separation} Å, is below 34.8 Å, where the distances of duplicates end: {left:,} of the kept particles"
    ran = command("particles", *paths, "--min-separation", separation, "-o", tmp_path / "out")
    assert f"warning: {said} are duplicates; choose 73 Å, or check the pixel size if the particles have another size" in ran.out
    summary = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))
    assert any(said in warning for warning in summary["warnings"])
    assert summary["suggestion"]["verdict"] in ran.out.splitlines()
    found = deduplicate_particles(paths, min_separation_a=separation)
    again = deduplicate(found.coordinates_a[found.kept], found.micrograph_of[found.kept], min_separation_a=72.6)
    assert len(again.rejected) == left
    for silent in (0, 40):
        assert "where the distances of duplicates end" not in command("particles", *paths, "--min-separation", silent, "--dry-run").out


def test_a_pixel_size_ten_times_too_large_warns(tmp_path: Path, command: Callable[..., Ran]) -> None:
    paths = make_session(tmp_path).paths[:2]
    ran = command("particles", *paths, "--pixel-size", 8.3, "--pixel-size-override", "--dry-run")
    assert "warning: the minimum separation, 20 Å, is below 267 Å, where the distances of duplicates end: 1,853 of the kept" in ran.out


def test_pairs_that_are_likely_neighbours() -> None:
    assert [found.pairs_are_neighbours(100) for found in (PEAK, NO_PEAK, NO_GAP, Suggestion())] == [False, True, False, False]
    assert PEAK.pairs_are_neighbours(161)
    assert PEAK.about_pairs(100) is None
    assert PEAK.about_pairs(161) == (
        "neighbours are usually 160 Å apart: pairs within 161 Å are likely neighbours, not duplicates; try a smaller separation"
    )
    assert "no peak of duplicates stands out" in str(NO_PEAK.about_pairs(20))


def test_lines_and_summary() -> None:
    assert PEAK.lines()[0] == "suggested minimum separation: 90 Å (duplicates end at 60 Å, neighbours start at 130 Å)"
    assert "no clear gap" in NO_GAP.lines()[0]
    assert "no peak of duplicates" in NO_PEAK.lines()[0]
    assert "too few neighbours" in Suggestion().lines()[0]
    assert Suggestion(lattice_a=9.99).lines()[1:] == ["the coordinates lie on a lattice of 9.99 Å: distances are smoothed over it"]
    assert NO_GAP.summary()["no_gap"]
    assert PEAK.summary()["suggested_a"] == 90


def test_rejecting_neighbours_warns(tmp_path: Path, command: Callable[..., Ran]) -> None:
    rng = np.random.default_rng(2)
    rows = [(f"{x:.2f}", f"{y:.2f}", "m") for x, y in packed(rng, 200, 100, 2500)]
    path = star(tmp_path / "p.star", rows)
    assert "warning:" not in command("particles", path, "--pixel-size", 1, "--dry-run").out
    assert "are rejected: these are probably" in command("particles", path, "--pixel-size", 1, "--min-separation", 120, "--dry-run").out


def test_half_sets_of_neighbours_are_said_to_be_such(tmp_path: Path, command: Callable[..., Ran]) -> None:
    rng = np.random.default_rng(2)
    rows = [(f"{x:.2f}", f"{y:.2f}", "m", 1 + k % 2) for k, (x, y) in enumerate(packed(rng, 200, 100, 2500))]
    path = star(tmp_path / "p.star", rows, "CoordinateX CoordinateY MicrographName RandomSubset")
    said = "pairs within 150 Å are likely neighbours, not duplicates; try a smaller separation"
    arguments = ("particles", path, "--pixel-size", 1, "--min-separation", 150)
    assert said in command(*arguments, "--advise").out
    assert command(*arguments, "-o", tmp_path / "out").status == 0
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert said in page.replace("\u00a0", " ")
    assert "these are probably neighbours, not duplicates" in page


# Properties.


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 200), st.sampled_from([2, 3]), st.floats(1, 400), st.integers(1, 5))
def test_pairs_are_those_of_a_plain_double_loop(seed: int, n: int, axes: int, reach: float, micrographs: int) -> None:
    rng = np.random.default_rng(seed)
    points = on_lattice(rng.uniform(-500, 500, (n, axes)), 25.0)
    groups = rng.integers(0, micrographs, n).astype(np.uint32) * 7
    first, second = np.triu_indices(n, 1)
    apart = np.sqrt(((points[first] - points[second]) ** 2).sum(axis=1))
    expected = np.sort(apart[(groups[first] == groups[second]) & (apart <= reach)])
    found, share = pair_distances(points, groups, reach, 10**6)
    assert share == 1
    assert found == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.01, 100), st.floats(-1e5, 1e5))
def test_the_suggestion_scales_and_shifts_with_the_coordinates(seed: int, factor: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    once = rng.uniform(0, 4000, (150, 2))
    points, groups = np.concatenate([once, once[:50] + rng.normal(0, 5, (50, 2))]), np.zeros(200, np.uint32)
    one, other = suggest(points, groups), suggest(points * factor + shift * factor, groups)
    for key, value in vars(one).items():
        moved = getattr(other, key)
        assert (value is None) == (moved is None)
        assert value is None or moved == pytest.approx(factor * value, rel=0.1)


def test_the_result_does_not_depend_on_threads() -> None:
    rng = np.random.default_rng(1)
    once = rng.uniform(0, 4000, (3000, 2))
    points, groups = np.concatenate([once, once[:900] + rng.normal(0, 4, (900, 2))]), np.arange(3900, dtype=np.uint32) % 10
    groups[3000:] = groups[:900]
    assert suggest(points, groups, 1) == suggest(points, groups, 2)


def test_a_sample_is_of_whole_micrographs_or_of_a_compact_box() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 100, 10_000).astype(np.uint32)
    points = rng.uniform(0, 1000, (10_000, 3))
    assert sampled(points, groups, 10_000) == slice(None)
    rows = sampled(points, groups, 1000)
    assert isinstance(rows, np.ndarray)
    assert 1000 <= len(rows) < 1300
    assert len(rows) == np.isin(groups, groups[rows]).sum()
    box = sampled(points, np.zeros(10_000, np.uint32), 1250)
    assert isinstance(box, np.ndarray)
    assert len(box) == pytest.approx(1250, rel=0.1)
    assert np.ptp(points[box], axis=0) == pytest.approx([500, 500, 500], rel=0.1)


@pytest.mark.parametrize("points", [np.zeros((0, 2)), np.zeros((1, 3)), np.zeros((500, 2)), np.full((3, 2), 1e300)])
def test_too_few_or_all_in_one_place(points: np.ndarray) -> None:
    assert suggest(points, np.zeros(len(points), np.uint32)) == Suggestion()


# Every sort of particles.


def dimers(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each with another one 60 Å off."""
    angle = rng.uniform(0, 2 * np.pi, len(points))
    return np.concatenate([points, points + rng.normal(60, 2, (len(points), 1)) * np.stack([np.cos(angle), np.sin(angle)], axis=1)])


def trimers(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each as three, 52 Å from each other."""
    angles = rng.uniform(0, 2 * np.pi, (len(points), 1)) + np.arange(3) * 2 * np.pi / 3
    corners = points[:, None] + 30 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return corners.reshape(-1, 2) + rng.normal(0, 2, (3 * len(points), 2))


def filaments(rng: np.random.Generator, n: int) -> np.ndarray:
    """Straight ones of 25 particles 40 Å apart, 300 Å from each other."""
    along = np.arange(25)[None] * 40.0 + rng.uniform(0, 2000, (n, 1))
    across = np.repeat(np.arange(n)[:, None] * 300.0, 25, axis=1)
    return np.stack([along.ravel(), across.ravel()], axis=1) + rng.normal(0, 1, (25 * n, 2))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "kind",
    [
        "few at random",
        "many at random",
        "packed",
        "packed loosely",
        "a grid",
        "of many densities",
        "dimers",
        "few dimers",
        "trimers",
        "filaments",
        "clumps",
        "whole pixels",
        "with wild ones",
    ],
)
def test_without_duplicates_no_separation_is_suggested(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(np.arange(20), np.arange(20)), axis=-1).reshape(-1, 2) * 180.0
    points = {
        "few at random": lambda: [rng.uniform(0, 4000, (60, 2))],
        "many at random": lambda: [rng.uniform(0, 4000, (400, 2)) for _ in range(10)],
        "packed": lambda: [packed(rng, 400, 130)] * 3,
        "packed loosely": lambda: [packed(rng, 150, 150) for _ in range(6)],
        "a grid": lambda: [grid + rng.normal(0, 3, grid.shape)],
        "of many densities": lambda: [packed(rng, int(n), 120) for n in rng.lognormal(4.3, 1.1, 30).clip(4, 600)],
        "dimers": lambda: [dimers(packed(rng, 100, 200), rng) for _ in range(6)],
        "few dimers": lambda: [dimers(packed(rng, 12, 700), rng) for _ in range(20)],
        "trimers": lambda: [trimers(packed(rng, 60, 300), rng) for _ in range(5)],
        "filaments": lambda: [filaments(rng, 12) for _ in range(6)],
        "whole pixels": lambda: [np.round(rng.uniform(0, 4000, (2000, 2))) for _ in range(4)],
        "clumps": lambda: [
            np.concatenate([packed(rng, 6, 260), rng.uniform(0, 4000, (6, 2))]).repeat(8, 0) + rng.normal(0, 90, (96, 2)) for _ in range(8)
        ],
        "with wild ones": lambda: [np.concatenate([packed(rng, 200, 150), [[40_000.0, 40_000.0]]]) for _ in range(6)],
    }[kind]()
    suggestion = suggestion_of(points)
    assert suggestion.suggested_a is None
    if kind == "clumps":
        return
    assert suggestion.usual_distance_a is not None
    if kind == "a grid":
        assert suggestion.usual_distance_a == pytest.approx(175, abs=8)
    elif kind.startswith(("packed", "with")):
        assert 130 < suggestion.usual_distance_a < 230
    elif kind in ("dimers", "few dimers", "trimers", "filaments"):
        assert suggestion.usual_distance_a == pytest.approx({"trimers": 52, "filaments": 40}.get(kind, 60), abs=8)
    assert suggestion.warnings(1.5 * suggestion.usual_distance_a, 0, 1000)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.9, 1.0])
@pytest.mark.parametrize("copies", [1, 3])
def test_duplicates_are_told_from_neighbours_however_many_there_are(share: float, copies: int) -> None:
    rng = np.random.default_rng(7)
    points = []
    for _ in range(6):
        once = packed(rng, 250, 120)
        again = [once[rng.random(len(once)) < share] for _ in range(copies)]
        points.append(np.concatenate([once, *(some + rng.normal(0, 5, some.shape) for some in again)]))
    check_right(suggestion_of(points), 13, 120)


@pytest.mark.parametrize("pickers", [2, 8])
@pytest.mark.parametrize("found", [0.5, 0.8, 1.0])
@pytest.mark.parametrize("jitter", [0.5, 2.0, 4.0])
@pytest.mark.parametrize("step", [0, 1, 4])
def test_pickers_of_whole_pixels(pickers: int, found: float, jitter: float, step: int) -> None:
    """Between one pixel and the next there is no valley."""
    rng = np.random.default_rng(3)
    points = []
    for _ in range(6):
        once = packed(rng, 150, 150)
        picks = [once[rng.random(len(once)) < found] for _ in range(pickers)]
        all_picks = np.concatenate([some + rng.normal(0, jitter, some.shape) for some in picks])
        points.append(np.round(all_picks / step) * step if step else all_picks)
    suggestion = suggestion_of(points)
    assert suggestion.suggested_a is not None
    assert suggestion.usual_distance_a is not None
    assert 40 < suggestion.suggested_a < 130
    assert 140 < suggestion.usual_distance_a < 260


def false_picks(pickers: int, jitter: float, share: float) -> list[np.ndarray]:
    """Of pickers that find 85 % of the particles, and so many others for each particle, anywhere."""
    rng = np.random.default_rng(int(10 * jitter) + pickers)
    points = []
    for _ in range(12):
        once = packed(rng, 60, 80, 1500)
        found = [once[rng.random(60) < 0.85] for _ in range(pickers)]
        others = [rng.uniform(0, 1500, (rng.poisson(60 * share), 2)) for _ in range(pickers)]
        points.append(np.concatenate([*(some + rng.normal(0, jitter, some.shape) for some in found), *others]))
    return points


@pytest.mark.parametrize("pickers", [2, 3])
@pytest.mark.parametrize("jitter", [2.0, 4.5, 6.5])
@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_false_picks_fill_the_valley(pickers: int, jitter: float, share: float) -> None:
    suggestion = suggestion_of(false_picks(pickers, jitter, share))
    assert suggestion.suggested_a is not None
    assert suggestion.usual_distance_a is not None
    assert 4 * jitter < suggestion.suggested_a < 75
    assert 75 < suggestion.usual_distance_a < 120


@pytest.mark.parametrize(("pickers", "jitter", "share"), [(3, 8.0, 1.0), (6, 8.0, 1.0), (2, 12.0, 0.8), (2, 15.0, 0.3), (3, 12.0, 1.0)])
def test_duplicates_are_never_taken_for_neighbours(pickers: int, jitter: float, share: float) -> None:
    """Where false picks are many and duplicates far apart there is no valley, and nothing to be said of neighbours."""
    suggestion = suggestion_of(false_picks(pickers, jitter, share))
    if suggestion.suggested_a is None:
        assert (suggestion.usual_distance_a, suggestion.no_gap) == (None, True)
    else:
        check_right(suggestion, 3.7 * jitter, 80)


def test_one_large_tomogram() -> None:
    """Of which a slice tells what is behind duplicates, whatever separation was used."""
    rng = np.random.default_rng(5)
    once = rng.permuted(np.stack(np.meshgrid(*[np.arange(42)] * 3), axis=-1).reshape(-1, 3), axis=0) * 100.0
    points = [np.concatenate([once, once[:5000] + rng.normal(0, 3, (5000, 3))])]
    check_right(suggestion_of(points), 10, 100)


@pytest.mark.parametrize("axis", [0, 2])
def test_an_axis_along_which_nothing_moves_is_none(axis: int) -> None:
    rng = np.random.default_rng(5)
    flat = [np.insert(packed(rng, 200, 120), axis, 7.0, axis=1) for _ in range(4)]
    suggestion = suggestion_of(flat)
    assert suggestion.suggested_a is None
    assert suggestion.usual_distance_a is not None
    assert 115 < suggestion.usual_distance_a < 230
    again = suggestion_of([np.concatenate([some, some + rng.normal(0, 3, some.shape)]) for some in flat])
    assert again.suggested_a is not None
    assert 10 < again.suggested_a < 120


def test_a_wild_coordinate_spoils_nothing() -> None:
    rng = np.random.default_rng(5)
    suggestion = suggestion_of([np.concatenate([rng.uniform(0, 4000, (500, 2)), [[1e13, 5.0]]])])
    assert suggestion.usual_distance_a is not None
    assert suggestion.usual_distance_a < 200


def test_duplicates_of_one_offset() -> None:
    rng = np.random.default_rng(3)
    points = [np.concatenate([once, once + 2.0]) for once in (packed(rng, 150, 150) for _ in range(6))]
    suggestion = suggestion_of(points)
    assert suggestion.suggested_a is not None
    assert 20 < suggestion.suggested_a < 130


@pytest.mark.parametrize("kind", ["of many densities", "dimers", "filaments", "with wild ones", "few"])
def test_duplicates_are_told_from_any_neighbours(kind: str) -> None:
    rng = np.random.default_rng(8)
    once, most = {
        "of many densities": lambda: ([packed(rng, int(n), 120) for n in rng.lognormal(4.3, 1.1, 30).clip(4, 600)], 120),
        "dimers": lambda: ([dimers(packed(rng, 100, 200), rng) for _ in range(6)], 60),
        "filaments": lambda: ([filaments(rng, 12) for _ in range(6)], 40),
        "with wild ones": lambda: ([np.concatenate([packed(rng, 200, 150), [[40_000.0, 40_000.0]]]) for _ in range(6)], 150),
        "few": lambda: ([packed(rng, 250, 200, 8000.0) for _ in range(12)], 200),
    }[kind]()
    share, jitter = (0.01, 8.0) if kind == "few" else (0.2, 3.0)
    points = []
    for some in once:
        again = some[rng.random(len(some)) < share]
        points.append(np.concatenate([some, again + rng.normal(0, jitter, again.shape)]))
    suggestion = suggestion_of(points)
    assert suggestion.suggested_a is not None
    assert 4 < suggestion.suggested_a < most


@pytest.mark.parametrize("side", [0.0, 4000.0])
@pytest.mark.parametrize("seed", range(9, 14))
def test_one_particle_a_micrograph_and_its_copy(side: float, seed: int) -> None:
    """There are no neighbours to be told from, whether all are in the middle or each somewhere else."""
    rng = np.random.default_rng(seed)
    suggestion = suggestion_of([500.0 + rng.uniform(0, side, (1, 2)) + rng.normal(0, 4, (2, 2)) for _ in range(300)])
    assert (suggestion.suggested_a, suggestion.usual_distance_a, suggestion.warnings(20, 300, 600)) == (None, None, [])
