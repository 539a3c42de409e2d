"""What chance makes of a pair: null distributions, false-discovery rates, and the shots of a hole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from cryodedup import MicrographParams, _core, find_duplicate_micrographs
from cryodedup.demo import make_micrographs
from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.places import Places
from cryodedup.micrographs.ragged import Ragged
from cryodedup.micrographs.shot_agreement import MeasureNear, Names, Opinion, judge
from cryodedup.micrographs.significance import Gumbel, Null, OverlapScale, Peaks, Tail, q_values, unrelated, zero_tail

RNG = np.random.default_rng(1)


def noise(n: int = 4000, seed: int = 1) -> Peaks:
    rng = np.random.default_rng(seed)
    best = rng.gumbel(3.5, 0.3, n)
    return Peaks(best, best - rng.exponential(0.3, n), rng.normal(0, 1, n), rng.uniform(0.1, 1, n))


def overlapping(z: np.ndarray) -> np.ndarray:
    """Half of each frame overlaps."""
    return np.full(len(z), 0.5)


def test_q_values_are_those_of_benjamini_and_hochberg() -> None:
    chance = np.array([1e-9, 2e-4, 3e-6, 0.5])
    q = q_values(chance, 10_000)
    assert q[0] == pytest.approx(1e-5)
    assert q[2] == pytest.approx(0.03 / 2)
    assert q[1] == pytest.approx(2 / 3)
    assert q[3] == 1.0
    assert (q_values(chance[::-1], 10_000) == q[::-1]).all()


@pytest.mark.parametrize("copies", [1, 2, 40, 800])
def test_mirrored_copies_do_not_hide_the_others(copies: int) -> None:
    """Frames that are stored mirrored match mirrored."""
    rng = np.random.default_rng(copies)
    usual = rng.exponential(0.4, 5000) + 4
    tail = Tail.fit(usual, 20_000)
    with_copies = Tail.fit(np.append(usual, rng.normal(60, 5, copies)), 20_000)
    assert with_copies.scale == pytest.approx(tail.scale, rel=0.05)
    assert with_copies.start == pytest.approx(tail.start, abs=0.05)


@pytest.mark.parametrize("seed", range(20))
def test_nothing_stands_apart_in_noise_however_heavy_its_tail(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for values in (rng.gumbel(3.5, 0.3, 1128), rng.normal(0, 1, 20_000), rng.exponential(4, 300), np.full(100, 3.0), np.zeros(3)):
        assert len(unrelated(values)) == len(values)


def test_what_stands_apart_is_left_out_up_to_a_share() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(0, 1, 1000)
    assert unrelated(np.append(values, [40.0, 50.0])).tolist() == sorted(values.tolist(), reverse=True)
    half = np.append(values, rng.normal(50, 1, 1000))
    assert len(unrelated(half)) == 2000, "that many are what the session is like"


def test_a_like_significance_is_less_unusual_where_little_overlaps() -> None:
    """A few large objects reach more in a small overlap."""
    rng = np.random.default_rng(6)
    overlap = rng.uniform(0.1, 1, 4000)
    z = np.where(overlap < 0.3, rng.gumbel(20, 3, 4000), rng.gumbel(4, 0.3, 4000))
    null = Null.fit(Peaks(z, z - 2, rng.normal(0, 1, 4000), overlap), 4000, noise(seed=2))
    fifteen = np.array([15.0, 15.0])
    small, large = null.elsewhere(fifteen, np.array([0.15, 0.8]))
    assert large < 1e-6 < 0.1 < small
    alike = OverlapScale.fit(z[:400], overlap[:400])
    assert (alike.standard(fifteen, np.array([0.15, 0.8])) == fifteen).all(), "few pairs do not show it"


def test_pairs_are_more_unusual_nowhere_than_at_the_usual_spread() -> None:
    """Chance alone makes one of eight spreads the smallest."""
    rng = np.random.default_rng(7)
    overlap = rng.uniform(0.1, 1, 4000)
    spread = np.select([overlap < 0.3, overlap > 0.8], [1.3, 0.3], 0.8)
    found = OverlapScale.fit(rng.gumbel(4, spread), overlap)
    nine = np.full(2, 9.0)
    middle, high = found.standard(nine, np.array([0.55, 0.9]))
    assert high == pytest.approx(middle, rel=0.1)
    assert found.standard(nine[:1], np.array([0.15])) < 0.8 * middle


def test_a_gumbel_distribution_is_found_beside_a_few_duplicates() -> None:
    values = np.append(RNG.gumbel(3.5, 0.3, 4000), RNG.normal(25, 5, 80))
    found = Gumbel.fit(values)
    assert found is not None
    assert found.middle == pytest.approx(3.5, abs=0.05)
    assert found.spread == pytest.approx(0.3, abs=0.03)
    z = np.array([4.5, 5.5])
    assert found.probability(z) == pytest.approx([np.mean(values[:4000] > one) for one in z], abs=0.01)


def test_zero_shift_is_never_less_likely_than_the_best_of_all_shifts() -> None:
    null = Null.fit(noise(), 4000, noise(seed=2))
    z = np.linspace(0, 12, 40)
    _, zero = null.chance(Peaks(z, z - 1, z, overlapping(z)), np.zeros(len(z), bool))
    assert (zero >= null.elsewhere(z, overlapping(z))).all()


def test_a_heavy_tail_at_zero_shift_is_seen() -> None:
    """Edges and patterns that a twentieth of the pairs share."""
    light, heavy = RNG.normal(0, 1, 4000), np.append(RNG.normal(0, 1, 3800), RNG.exponential(3, 200) + 1)
    six = np.array([6.0])
    assert zero_tail(light).probability(six)[0] < 1e-3
    assert zero_tail(heavy).probability(six)[0] > 3e-3


@pytest.mark.parametrize("exposures", [2, 3, 4])
def test_exposures_of_each_area_at_one_place_are_no_null_distribution(exposures: int) -> None:
    """Of 20 areas: the frames' other partners lie inside the quantiles."""
    duplicates = 20 * exposures * (exposures - 1) // 2
    pairs = 20 * exposures * (20 * exposures - 1) // 2
    rng = np.random.default_rng(exposures)
    tail = zero_tail(np.append(rng.normal(0, 1, pairs - duplicates), rng.normal(40, 15, duplicates).clip(15)))
    assert tail.probability(np.array([15.0]))[0] < 1e-5
    assert tail.apart == pytest.approx(15, abs=5)


def test_what_all_pairs_share_unmirrored_counts() -> None:
    """Crystals at one angle: mirrored pairs know nothing of them."""
    cohort = noise(seed=2)
    crystals = Peaks(3 * cohort.best - 5, 3 * cohort.next - 5, cohort.at_zero, cohort.overlap)
    plain, periodic = Null.fit(noise(), 4000, cohort), Null.fit(noise(), 4000, crystals)
    nine = np.array([9.0])
    assert plain.elsewhere(nine, overlapping(nine))[0] < 1e-6
    assert periodic.elsewhere(nine, overlapping(nine))[0] > 1e-3
    assert plain.periodic < 0.01 < 0.2 < periodic.periodic


def test_a_pair_that_matches_at_several_places_has_to_stand_out_of_them() -> None:
    null = Null.fit(noise(), 4000, noise(seed=2))
    best, following = np.array([12.0, 12.0, 12.0]), np.array([4.0, 7.0, 11.5])
    chance, _ = null.chance(Peaks(best, following, np.zeros(3), overlapping(best)), np.zeros(3, bool))
    assert chance[0] < 1e-9
    assert chance[1] < 1e-3
    assert chance[2] > 0.1


# --- Shots of holes

HOLES, SHOTS = 20, 4
KNOWN = [Acquisition(hole=f"h{hole}", shot=str(shot)) for hole in range(HOLES) for shot in range(SHOTS)]


def noise_near(duplicates: dict[tuple[int, int], float], everywhere: float = 0.0) -> MeasureNear:
    """Noise near any shift, but for some pairs; ``everywhere`` is added to all."""

    def measure(places: Places) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(7)
        assert len(places.pairs) == len(places.shift_px) == len(places.turn_deg)
        assert (places.pairs[:, 0] < places.pairs[:, 1]).all()
        z = rng.normal(2.3, 0.5, len(places)) + everywhere
        for k, pair in enumerate(map(tuple, places.pairs.tolist())):
            z[k] = duplicates.get(pair, z[k])
        return z, places.shift_px + 1

    return measure


def nowhere(z: np.ndarray, shift_px: np.ndarray) -> np.ndarray:
    """The chance of noise at the best of all shifts."""
    return np.minimum(np.exp(-(z - 4) / 0.2), 1.0)


def judged(
    pairs: Sequence[tuple[int, int]],
    z: float,
    known: Sequence[Acquisition],
    measure: MeasureNear,
    shifts: Sequence[tuple[float, float]] = ((90.0, -60.0),),
    areas: Sequence[int] = (),
) -> list[Opinion]:
    """Opinions about leads of one significance; those that moved by less than 10 pixels are near zero."""
    places = Places(np.array(pairs, np.uint32), np.array(list(shifts), float), np.zeros(len(pairs)))
    largest = np.abs(places.shift_px).max(axis=1)
    return judge(
        places,
        np.full(len(pairs), z),
        largest < 10,
        largest < 1,
        Names.of(known),
        np.array(areas or [0] * len(known), np.uint32),
        measure,
        nowhere,
    )


def test_other_shots_of_two_holes_support_a_faint_pair() -> None:
    (agreed,) = judged([(0, 40)], 5.0, KNOWN, noise_near({(0, 40): 5.0, (1, 41): 7.0, (2, 42): 6.0}))
    (refused,) = judged([(0, 40)], 5.0, KNOWN, noise_near({(0, 40): 5.0}))
    assert agreed.by_name
    assert agreed.members.tolist() == [[1, 41], [2, 42], [3, 43]]
    assert agreed.chance(1e-3) < 1e-5 < 1e-3 <= refused.chance(1e-3)
    assert (agreed.words(KNOWN, 0.01), refused.words(KNOWN, 0.01)) == ("3 of 4", "contradicted")


def test_an_edge_that_all_frames_share_supports_nothing_and_refutes() -> None:
    edge = {(0, 40): 8.0, (1, 41): 8.2, (2, 42): 7.8, (3, 43): 8.1}
    (opinion,) = judged([(0, 40)], 8.0, KNOWN, noise_near(edge, everywhere=5.5), [(2.0, 1.0)])
    assert opinion.chance(1e-8) > 1e-3


def test_shots_of_holes_in_the_other_order_are_measured_at_the_opposite_shift() -> None:
    known = list(KNOWN)
    known[41], known[1] = Acquisition(hole="h0", shot="1"), Acquisition(hole="h10", shot="1")  # shot 1 of each was taken in the other's row
    measured: dict[tuple[int, int], list[float]] = {}

    def measure(places: Places) -> tuple[np.ndarray, np.ndarray]:
        measured.update({tuple(pair): shift for pair, shift in zip(places.pairs.tolist(), places.shift_px.tolist(), strict=True)})
        return np.full(len(places), 2.0), places.shift_px

    judged([(0, 40)], 5.0, known, measure)
    assert measured[1, 41] == [-90.0, 60.0]
    assert measured[2, 42] == [90.0, -60.0]


def test_neighbours_stand_in_where_names_show_no_holes_but_not_near_zero_shift() -> None:
    unknown = [Acquisition()] * 60
    (agreed,) = judged([(10, 40)], 5.0, unknown, noise_near({(10, 40): 5.0, (11, 41): 9.0}))
    assert agreed.members.tolist() == [[7, 37], [8, 38], [9, 39], [11, 41], [12, 42], [13, 43]]
    assert agreed.chance(1e-3) < 1e-5
    assert agreed.words(unknown, 0.001) == "2 in a row"
    (near_zero,) = judged([(10, 40)], 5.0, unknown, noise_near({}), [(3.0, 3.0)])
    assert near_zero.members.tolist() == []


def test_at_zero_shift_the_other_shots_support_nobody() -> None:
    (opinion,) = judged([(0, 40)], 9.0, KNOWN, noise_near({(0, 40): 9.0, (1, 41): 7.0, (2, 42): 6.0}), [(0.2, 0.1)])
    assert opinion.still
    assert opinion.chance(1e-3) >= 1e-3


def test_edges_that_lie_near_zero_shift_do_not_hide_pairs_elsewhere() -> None:
    """Decoys near zero shift reach 15, up and down; they say nothing of those at other shifts."""

    def measure(places: Places) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(7)
        near = np.abs(places.shift_px).max(axis=1) < 10
        return np.where(near, rng.normal(0, 15, len(places)), rng.normal(2.3, 0.5, len(places))), places.shift_px

    pairs = [*((k, 40 + k) for k in range(8)), (20, 60)]
    opinions = judged(pairs, 16.0, KNOWN, measure, [*[(2.0, 1.0)] * 8, (90.0, -60.0)])
    assert opinions[-1].here < 1e-9
    assert all(opinion.here > 1e-3 for opinion in opinions[:-1])


def test_the_choice_of_decoys_is_the_same_every_time() -> None:
    assert len({judged([(0, 40)], 5.0, KNOWN, noise_near({}))[0].chance(1e-3) for _ in range(3)}) == 1


def test_lists_of_all_lengths_are_measured_as_each_by_itself() -> None:
    rng = np.random.default_rng(3)
    lists = [rng.normal(0, 1, length) for length in (5, 0, 1, 8, 5, 2)]
    ragged = Ragged(np.concatenate(lists), np.cumsum([0, *map(len, lists)]))
    assert ragged.sums_of_largest(2).tolist() == [sum(sorted(values.tolist(), reverse=True)[:2]) for values in lists]
    found = ragged.quantiles([0.25, 0.5])
    assert np.isnan(found[1]).all()
    assert all((found[k] == np.quantile(lists[k], [0.25, 0.5])).all() for k in (0, 2, 3, 4, 5))
    assert [ragged.of(np.array([3, 1]))[k].tolist() for k in (0, 1)] == [lists[3].tolist(), []]


def test_further_exposures_of_the_same_shots_support_nothing() -> None:
    """What matches by chance in one matches in all."""
    known = [Acquisition(hole=f"h{hole}", shot=str(shot)) for hole in range(HOLES) for shot in range(2) for _ in range(2)]
    (opinion,) = judged([(0, 40)], 5.0, known, noise_near({(i, j): 5.0 for i in (0, 1) for j in (40, 41)}))
    assert opinion.members.tolist() == [[2, 42], [2, 43], [3, 42], [3, 43]]
    assert opinion.chance(1e-3) >= 1e-3


def test_duplicates_of_one_spot_are_no_decoys_of_each_other() -> None:
    """Ten exposures of one spot among fifty micrographs: many of the random partners are of that spot."""
    spot = {(i, j): 60.0 for i in range(10) for j in range(i + 1, 10)}
    opinions = judged(list(spot), 60.0, [Acquisition()] * 50, noise_near(spot), [(3.0, 2.0)] * len(spot))
    assert all(opinion.here < 1e-9 for opinion in opinions)


def test_of_more_exposures_of_one_spot_only_known_areas_tell() -> None:
    """Most micrographs are of one spot, as an edge of beam or foil may make them seem to be."""
    spot = {(i, j): 60.0 for i in range(30) for j in range(i + 1, 30)}
    of = list(spot), 60.0, [Acquisition()] * 50, noise_near(spot), [(3.0, 2.0)] * len(spot)
    assert max(opinion.here for opinion in judged(*of)) > 1e-9
    assert all(opinion.here < 1e-9 for opinion in judged(*of, areas=[7] * 30 + [0] * 20))


@pytest.mark.parametrize("start", [0, 1])
def test_the_pattern_of_few_micrographs_makes_no_pairs(tmp_path: Path, start: int) -> None:
    """It reaches a pixel or two from zero shift, and can only be taken out of 24 or more."""
    planted = make_micrographs(tmp_path)
    images = sorted((planted.star.parent / "Micrographs").iterdir())[start::2]
    assert len(images) < _core.MIN_FOR_FIXED_PATTERN
    result = find_duplicate_micrographs(images, MicrographParams(bin=2))
    found = {(Path(result.names[pair.first]).name, Path(result.names[pair.second]).name) for pair in result.pairs}
    assert found <= {(Path(first).name, Path(second).name) for first, second in planted.pairs}
