"""Advice on the distance, pickers against each other, and votes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import Ran, star
from cryodedup import InputError, ParticleParams, deduplicate, deduplicate_particles
from cryodedup.particles.analysis.consensus import combinations, jaccard
from cryodedup.particles.select import votes
from cryodedup.report.figures.pickers import pickers
from cryodedup.report.particle_page import pairs_of_inputs

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


def test_histograms_before_and_after(picked_twice: Path) -> None:
    result = deduplicate_particles(picked_twice, ParticleParams(pixel_size_a=1.0, min_separation_a=30))
    advice, suggestion = result.advice(), result.analysis.suggestion
    assert advice is not None
    assert suggestion.suggested_a is not None
    assert suggestion.usual_distance_a is not None
    assert 25 < suggestion.suggested_a < 120
    assert 115 < suggestion.usual_distance_a < 200
    assert (advice.before[:10].sum(), advice.after[:10].sum()) == (800, 0)


def test_the_curve_is_what_each_separation_keeps(picked_twice: Path) -> None:
    result = deduplicate_particles(picked_twice, ParticleParams(pixel_size_a=1.0, min_separation_a=30))
    advice = result.advice()
    assert advice is not None
    assert 30 in advice.separations_a
    for separation, kept in zip(advice.separations_a, advice.kept, strict=True):
        found = deduplicate(result.coordinates_a, result.micrograph_of, result.selection.ranking.scores, min_separation_a=float(separation))
        assert found.kept.sum() == kept


def test_the_curve_of_many_particles_is_that_of_some_micrographs(picked_twice: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = deduplicate_particles(picked_twice, ParticleParams(pixel_size_a=1.0, min_separation_a=30))
    whole = result.advice()
    monkeypatch.setattr("cryodedup.particles.analysis.advice.MAX_FOR_CURVE", 700)
    some = result.advice()
    assert whole is not None
    assert some is not None
    assert (whole.sampled, some.sampled) == (0, 800)
    assert np.abs(some.kept - whole.kept).max() < 0.05 * len(result.kept)
    assert (
        "about 1,200 of 1,600 particles are kept at 30 Å (estimated from 800 particles of random micrographs)" in some.lines(1600, 30)[-1]
    )


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


def test_few_particles_give_no_advice(tmp_path: Path) -> None:
    one = deduplicate_particles(star(tmp_path / "p.star", [(0, 0, "m", 1)], COLUMNS), ParticleParams(pixel_size_a=1.0))
    assert one.advice() is None
    same = deduplicate_particles(star(tmp_path / "q.star", [(5, 5, "m", 1)] * 3, COLUMNS), ParticleParams(pixel_size_a=1.0))
    advice = same.advice()
    assert advice is not None
    assert (same.analysis.suggestion.suggested_a, advice.kept.tolist()[-1]) == (None, 1)


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
    of_each = np.array([[sum(a in sources for sources in found.values())] * 4 for a in range(4)])
    similar = jaccard(sets, of_each)
    for a in range(4):
        for b in range(4):
            both = sum(a in sources and b in sources for sources in found.values())
            either = sum(a in sources or b in sources for sources in found.values())
            assert similar[a, b] == pytest.approx(both / either if either else 0.0)


def test_agreement_is_over_the_micrographs_that_both_inputs_have(tmp_path: Path, command: Callable[..., Ran]) -> None:
    """Of 10 micrographs the second input saw 2: there it found what the first did, and one more. A third saw none of these."""
    rng = np.random.default_rng(4)
    at = [
        (f"m{k}", x, y) for k in range(10) for x, y in 300 * (np.stack(np.meshgrid(range(4), range(4)), -1).reshape(-1, 2) + rng.random(2))
    ]
    seen = [at, [row for row in at if row[0] in ("m3", "m4")] + [("m4", 5000.0, 5000.0)], [("other", 1.0, 1.0)]]
    paths = [star(tmp_path / f"{name}.star", [(x, y, m) for m, x, y in rows]) for name, rows in zip("abc", seen, strict=True)]
    ran = command("particles", *paths, "--pixel-size", 1, "-o", tmp_path / "out")
    both = "agree: 32 of 32 (100 %) and 32 of 33 (97 %) have a match in the other, in 2 common micrographs"
    assert f"{paths[0]} and {paths[1]} {both}" in ran.out
    assert f"{paths[1]} and {paths[2]} have no micrograph in common" in ran.out
    overlaps = json.loads((tmp_path / "out" / "summary.json").read_text())["overlaps"]
    assert overlaps["particles_in_shared_micrographs"] == [[160, 32, 0], [33, 33, 0], [0, 0, 1]]
    assert overlaps["shared_micrographs"] == [[10, 2, 0], [2, 2, 0], [0, 0, 1]]
    result = deduplicate_particles(paths, ParticleParams(pixel_size_a=1.0))
    data = pickers(result)
    assert data is not None
    assert data.percent[0].tolist() == pytest.approx([0, 100, np.nan], nan_ok=True)
    assert pairs_of_inputs(result)[0] == ("a.star", "b.star", 2, 32, 32, 33, 32, pytest.approx(32 / 33, abs=1e-4))


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
    assert nothing.warnings[-1:] == ("no particle is kept: none was found by 2 inputs within 0 Å",)
    with pytest.raises(InputError, match="min_votes: found 4, expected at most 3, the number of inputs"):
        kept(4)
    for wrong in (0, 1.5, True):
        with pytest.raises(InputError, match="min_votes"):
            ParticleParams(min_votes=wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="min_votes and remove_entirely"):
        ParticleParams(min_votes=2, remove_entirely=True)
