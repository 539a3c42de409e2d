"""Advice on the distance, pickers against each other, and votes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import Ran, star
from cryodedup import InputError, ParticleParams, deduplicate, deduplicate_particles
from cryodedup.particles.analysis.consensus import combinations, jaccard, votes
from cryodedup.particles.analysis.separation import Advice, advise

COLUMNS = "CoordinateX CoordinateY MicrographName AutopickFigureOfMerit"


@pytest.fixture(scope="module")
def picked_twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Particles at least 120 Å apart in four micrographs, a third of them picked again some 8 Å off."""
    rng = np.random.default_rng(4)
    rows: list[tuple[object, ...]] = []
    for micrograph in "abcd":
        points: list[np.ndarray] = []
        while len(points) < 300:
            point = rng.uniform(0, 4000, 2)
            if all(np.hypot(*(point - other)) > 120 for other in points):
                points.append(point)
        again = [point + rng.normal(0, 6, 2) for point in points[:100]]
        rows += [(f"{x:.2f}", f"{y:.2f}", micrograph, round(rng.random(), 4)) for x, y in [*points, *again]]
    return star(tmp_path_factory.mktemp("picked") / "p.star", rows, COLUMNS)


def test_the_valley_lies_between_duplicates_and_neighbours(picked_twice: Path) -> None:
    advice = advise(deduplicate_particles(picked_twice, ParticleParams(pixel_size_a=1.0, min_separation_a=30)))
    assert advice is not None
    assert advice.valley_a is not None
    assert advice.packing_a is not None
    assert 25 < advice.valley_a < 120
    assert 115 < advice.packing_a < 200
    assert (advice.before[:10].sum(), advice.after[:10].sum()) == (800, 0)
    assert not advice.warnings(30)
    assert "above the usual distance of neighbours" in advice.warnings(250)[0]


def test_the_curve_is_what_each_separation_keeps(picked_twice: Path) -> None:
    result = deduplicate_particles(picked_twice, ParticleParams(pixel_size_a=1.0, min_separation_a=30))
    advice = advise(result)
    assert advice is not None
    assert 30 in advice.separations_a
    for separation, kept in zip(advice.separations_a, advice.kept, strict=True):
        found = deduplicate(result.coordinates_a, result.micrograph_of, result.scores, min_separation_a=float(separation))
        assert found.kept.sum() == kept


def test_the_curve_of_many_particles_is_that_of_some_micrographs(picked_twice: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = deduplicate_particles(picked_twice, ParticleParams(pixel_size_a=1.0, min_separation_a=30))
    whole = advise(result)
    monkeypatch.setattr("cryodedup.particles.analysis.separation.MOST_FOR_CURVE", 700)
    some = advise(result)
    assert whole is not None
    assert some is not None
    assert (whole.sampled, some.sampled) == (0, 800)
    assert np.abs(some.kept - whole.kept).max() < 0.05 * len(result.kept)
    assert "about 1,200 of 1,600 particles stay (from micrographs taken at random, with 800 particles)" in some.lines(1600, 30)[-1]


def test_advise_writes_nothing(picked_twice: Path, command: Callable[..., Ran], tmp_path: Path) -> None:
    ran = command("particles", picked_twice, "--pixel-size", 1, "--min-separation", 250, "--advise", "-o", tmp_path / "out")
    assert ran.status == 0
    assert "suggested minimum separation: " in ran.out
    assert "warning: the minimum separation, 250 Å, is above the usual distance of neighbours" in ran.out
    assert not (tmp_path / "out").exists()
    dry = command("particles", picked_twice, "--pixel-size", 1, "--min-separation", 250, "--dry-run")
    quiet = command("particles", picked_twice, "--pixel-size", 1, "--min-separation", 250, "--dry-run", "--quiet")
    assert (quiet.out, quiet.err) == ("", "")
    undone = command("particles", picked_twice, "--pixel-size", 1, "--min-separation", 250, "--dry-run", "--undo-symmetry-expansion")
    assert "usual distance" not in undone.out
    assert "warning: the minimum separation, 250 Å, is above the usual distance of neighbours" in dry.out
    told = json.loads(command("particles", picked_twice, "--pixel-size", 1, "--advise", "--json").out)
    assert 25 < told["advice"]["suggested_a"] < 120
    assert [20.0, told["kept"]] in told["advice"]["separation_and_kept"]
    assert "suggested minimum separation: " in command("particles", picked_twice, "--pixel-size", 1, "--min-separation", 0, "--advise").out


def advice_of(points: list[np.ndarray], separation: float = 20.0) -> Advice:
    """Of particles in micrographs, (n, 2) or (n, 3) each."""
    columns = ["rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ"][: points[0].shape[1]]
    frame = pd.DataFrame(np.concatenate(points), columns=columns)
    frame["rlnMicrographName"] = np.repeat([f"m{k}" for k in range(len(points))], [len(some) for some in points])
    advice = advise(deduplicate_particles(frame, ParticleParams(pixel_size_a=1.0, min_separation_a=separation)))
    assert advice is not None
    return advice


def packed(rng: np.random.Generator, n: int, apart: float, side: float = 4000.0) -> np.ndarray:
    """At most n points of a square that are so far apart."""
    points = np.empty((0, 2))
    for point in rng.uniform(0, side, (20 * n, 2)):
        if len(points) < n and (not len(points) or np.hypot(*(points - point).T).min() > apart):
            points = np.vstack([points, point])
    return points


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
    advice = advice_of(points)
    assert advice.valley_a is None
    if kind == "clumps":
        return
    assert advice.packing_a is not None
    if kind == "a grid":
        assert advice.packing_a == pytest.approx(175, abs=8)
    elif kind.startswith(("packed", "with")):
        assert 130 < advice.packing_a < 230
    elif kind in ("dimers", "few dimers", "trimers", "filaments"):
        assert advice.packing_a == pytest.approx({"trimers": 52, "filaments": 40}.get(kind, 60), abs=8)
    assert advice_of(points, 1.5 * advice.packing_a).warnings(1.5 * advice.packing_a)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.9, 1.0])
@pytest.mark.parametrize("copies", [1, 3])
def test_duplicates_are_told_from_neighbours_however_many_there_are(share: float, copies: int) -> None:
    rng = np.random.default_rng(7)
    points = []
    for _ in range(6):
        once = packed(rng, 250, 120)
        again = [once[rng.random(len(once)) < share] for _ in range(copies)]
        points.append(np.concatenate([once, *(some + rng.normal(0, 5, some.shape) for some in again)]))
    for separation in (20.0, 40.0):
        advice = advice_of(points, separation)
        assert advice.valley_a is not None
        assert advice.packing_a is not None
        assert 10 < advice.valley_a < 120
        assert 110 < advice.packing_a < 200
        assert not advice.warnings(separation)


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
    advice = advice_of(points, 40.0)
    assert advice.valley_a is not None
    assert advice.packing_a is not None
    assert 40 < advice.valley_a < 130
    assert 140 < advice.packing_a < 260
    assert not advice.warnings(40.0)


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
    advice = advice_of(false_picks(pickers, jitter, share), 30.0)
    assert advice.valley_a is not None
    assert advice.packing_a is not None
    assert 4 * jitter < advice.valley_a < 75
    assert 75 < advice.packing_a < 120
    assert not advice.warnings(30.0)


@pytest.mark.parametrize(("pickers", "jitter", "share"), [(3, 8.0, 1.0), (6, 8.0, 1.0), (2, 12.0, 0.8), (2, 15.0, 0.3), (3, 12.0, 1.0)])
def test_duplicates_are_never_taken_for_neighbours(pickers: int, jitter: float, share: float) -> None:
    """Where false picks are many and duplicates far apart there is no valley, and nothing to be said of neighbours."""
    advice = advice_of(false_picks(pickers, jitter, share), 30.0)
    assert (advice.valley_a, advice.packing_a, advice.crowded) == (None, None, True)
    assert not advice.warnings(30.0)
    assert "no gap tells duplicates from others" in advice.lines(1000, 30.0)[0]


def test_duplicates_in_few_of_many_micrographs_are_seen() -> None:
    rng = np.random.default_rng(5)
    once = packed(rng, 150, 120)
    points = [once + rng.uniform(-20, 20, 2) for _ in range(800)]
    points[700] = np.concatenate([points[700], points[700] + rng.normal(0, 4, once.shape)])
    advice = advice_of(points)
    assert advice.valley_a is not None
    assert 15 < advice.valley_a < 120


def test_one_large_tomogram() -> None:
    """Of which a slice tells what is behind duplicates, whatever separation was used."""
    rng = np.random.default_rng(5)
    once = rng.permuted(np.stack(np.meshgrid(*[np.arange(42)] * 3), axis=-1).reshape(-1, 3), axis=0) * 100.0
    points = [np.concatenate([once, once[:5000] + rng.normal(0, 3, (5000, 3))])]
    suggested = []
    for separation in (20.0, 3000.0):
        advice = advice_of(points, separation)
        assert advice.valley_a is not None
        assert 10 < advice.valley_a < 100
        suggested.append((advice.valley_a, advice.packing_a))
        assert bool(advice.warnings(separation)) == (separation > 1000)
    assert suggested[0] == suggested[1]


@pytest.mark.parametrize("axis", [0, 2])
def test_an_axis_along_which_nothing_moves_is_none(axis: int) -> None:
    rng = np.random.default_rng(5)
    flat = [np.insert(packed(rng, 200, 120), axis, 7.0, axis=1) for _ in range(4)]
    advice = advice_of(flat)
    assert advice.valley_a is None
    assert advice.packing_a is not None
    assert 115 < advice.packing_a < 230
    again = advice_of([np.concatenate([some, some + rng.normal(0, 3, some.shape)]) for some in flat])
    assert again.valley_a is not None
    assert 10 < again.valley_a < 120


def test_a_wild_coordinate_spoils_nothing() -> None:
    rng = np.random.default_rng(5)
    advice = advice_of([np.concatenate([rng.uniform(0, 4000, (500, 2)), [[1e13, 5.0]]])])
    assert advice.packing_a is not None
    assert 20.0 in advice.separations_a


def test_duplicates_of_one_offset() -> None:
    rng = np.random.default_rng(3)
    points = [np.concatenate([once, once + 2.0]) for once in (packed(rng, 150, 150) for _ in range(6))]
    advice = advice_of(points, 40.0)
    assert advice.valley_a is not None
    assert 20 < advice.valley_a < 130
    assert not advice.warnings(40.0)


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
    advice = advice_of(points)
    assert advice.valley_a is not None
    assert 4 < advice.valley_a < most


@pytest.mark.parametrize("side", [0.0, 4000.0])
@pytest.mark.parametrize("seed", range(9, 14))
def test_one_particle_a_micrograph_and_its_copy(side: float, seed: int) -> None:
    """There are no neighbours to be told from, whether all are in the middle or each somewhere else."""
    rng = np.random.default_rng(seed)
    advice = advice_of([500.0 + rng.uniform(0, side, (1, 2)) + rng.normal(0, 4, (2, 2)) for _ in range(300)])
    assert (advice.valley_a, advice.packing_a, advice.warnings(20)) == (None, None, [])


def test_few_particles_give_no_advice(tmp_path: Path) -> None:
    one = deduplicate_particles(star(tmp_path / "p.star", [(0, 0, "m", 1)], COLUMNS), ParticleParams(pixel_size_a=1.0))
    assert advise(one) is None
    same = deduplicate_particles(star(tmp_path / "q.star", [(5, 5, "m", 1)] * 3, COLUMNS), ParticleParams(pixel_size_a=1.0))
    advice = advise(same)
    assert advice is not None
    assert (advice.valley_a, advice.kept.tolist()[-1]) == (None, 1)
    assert not advice.warnings(20)


sets_of_sources = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=30)


@settings(max_examples=200)
@given(sets_of_sources)
def test_votes_and_combinations_are_those_of_a_plain_loop(particles: list[tuple[int, int]]) -> None:
    n = len(particles)
    first = {name: next(i for i in range(n) if particles[i][0] == name) for name, _ in particles}
    set_of = np.array([first[name] for name, _ in particles])
    source_of = np.array([source for _, source in particles], np.uint32)
    found: dict[int, set[int]] = {}
    for i in range(n):
        found.setdefault(int(set_of[i]), set()).add(int(source_of[i]))
    expected: dict[tuple[int, ...], int] = {}
    for sources in found.values():
        expected[tuple(sorted(sources))] = expected.get(tuple(sorted(sources)), 0) + 1
    sets = combinations(set_of, source_of, 4)
    assert sets == expected
    assert list(sets.values()) == sorted(sets.values(), reverse=True)
    assert votes(set_of, source_of, 4).tolist() == [len(found.get(i, ())) for i in range(n)]
    similar = jaccard(sets, 4)
    for a in range(4):
        for b in range(4):
            both = sum(a in sources and b in sources for sources in found.values())
            either = sum(a in sources or b in sources for sources in found.values())
            assert similar[a, b] == pytest.approx(both / either if either else 0.0)


def test_only_what_enough_inputs_found_stays(tmp_path: Path, command: Callable[..., Ran]) -> None:
    at = {"a": [10, 500, 900], "b": [12, 502], "c": [11, 2000]}
    paths = [star(tmp_path / f"{name}.star", [(x, 10, "m", 1) for x in xs], COLUMNS) for name, xs in at.items()]

    def kept(n: int) -> list[float]:
        result = deduplicate_particles(paths, ParticleParams(pixel_size_a=1.0, min_votes=n))
        assert np.array_equal(result.rejected, np.flatnonzero(~result.kept))
        alone = result.duplicate_of == result.rejected
        assert np.isnan(result.distances_a[alone]).all()
        assert np.isfinite(result.distances_a[~alone]).all()
        return sorted(result.coordinates_a[result.kept, 0].tolist())

    assert [kept(n) for n in (1, 2, 3)] == [[10, 500, 900, 2000], [10, 500], [10]]
    ran = command("particles", *paths, "--pixel-size", 1, "--min-votes", 3, "-o", tmp_path / "out", "--no-report")
    assert ran.status == 0
    rows = (tmp_path / "out" / "duplicates.csv").read_text().splitlines()[1:]
    assert sum(row.endswith(",,,,") for row in rows) == 3
    assert len(rows) == 6
    assert "kept 1, rejected 6 (85.7 %), 3 of them since fewer than 3 inputs found them" in ran.out
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["rejected"], summary["duplicates"], summary["outvoted"]) == (6, 3, 3)
    found_by = summary["found_by"]
    assert {tuple(entry["inputs"]): entry["sets"] for entry in found_by} == {(0, 1, 2): 1, (0, 1): 1, (0,): 1, (2,): 1}
    nothing = deduplicate_particles(paths, ParticleParams(pixel_size_a=1.0, min_votes=2, min_separation_a=0.0))
    assert not nothing.kept.any()
    assert nothing.warnings[-1:] == ["nothing stays: no particle was found by 2 inputs within 0 Å"]
    with pytest.raises(InputError, match="min_votes: found 4, expected at most 3, the number of inputs"):
        kept(4)
    for wrong in (0, 1.5, True):
        with pytest.raises(InputError, match="min_votes"):
            ParticleParams(min_votes=wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="min_votes and remove_entirely"):
        ParticleParams(min_votes=2, remove_entirely=True)
