"""What chance makes of a pair: null distributions, false-discovery rates, and the shots of a hole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.shot_agreement import Lead, judge, leads_of
from cryodedup.micrographs.significance import Gumbel, Null, Peaks, Tail, q_values, zero_tail

RNG = np.random.default_rng(1)


def unrelated(n: int = 4000, seed: int = 1) -> Peaks:
    rng = np.random.default_rng(seed)
    best = rng.gumbel(3.5, 0.3, n)
    return Peaks(best, best - rng.exponential(0.3, n), rng.normal(0, 1, n))


def test_q_values_are_those_of_benjamini_and_hochberg() -> None:
    chance = np.array([1e-9, 2e-4, 3e-6, 0.5])
    q = q_values(chance, 10_000)
    assert q[0] == pytest.approx(1e-5)
    assert q[2] == pytest.approx(0.03 / 2)
    assert q[1] == pytest.approx(2 / 3)
    assert q[3] == 1.0
    assert (q_values(chance[::-1], 10_000) == q[::-1]).all()


def test_a_mirrored_copy_does_not_hide_the_others() -> None:
    usual = RNG.exponential(0.4, 5000) + 4
    tail = Tail.fit(usual, 20_000)
    assert Tail.fit(np.append(usual, [230.0, 180.0]), 20_000).scale < 1.3 * tail.scale
    # Many of them are what this session is like.
    assert Tail.fit(np.append(usual, RNG.normal(60, 5, 40)), 20_000).scale > 3 * tail.scale


def test_a_gumbel_distribution_is_found_beside_a_few_duplicates() -> None:
    values = np.append(RNG.gumbel(3.5, 0.3, 4000), RNG.normal(25, 5, 80))
    found = Gumbel.fit(values)
    assert found is not None
    assert found.middle == pytest.approx(3.5, abs=0.05)
    assert found.spread == pytest.approx(0.3, abs=0.03)
    z = np.array([4.5, 5.5])
    assert found.probability(z) == pytest.approx([np.mean(values[:4000] > one) for one in z], abs=0.01)


def test_zero_shift_is_never_less_likely_than_the_best_of_all_shifts() -> None:
    null = Null.fit(unrelated(), 4000, unrelated(seed=2))
    z = np.linspace(0, 12, 40)
    _, zero = null.chance(Peaks(z, z - 1, z))
    assert (zero >= null.elsewhere(z)).all()


def test_a_heavy_tail_at_zero_shift_is_seen() -> None:
    """Edges and patterns that a twentieth of the pairs share."""
    light, heavy = RNG.normal(0, 1, 4000), np.append(RNG.normal(0, 1, 3800), RNG.exponential(3, 200) + 1)
    six = np.array([6.0])
    assert zero_tail(light).probability(six)[0] < 1e-3
    assert zero_tail(heavy).probability(six)[0] > 3e-3


def test_what_all_pairs_share_unmirrored_counts() -> None:
    """Crystals at one angle: mirrored pairs know nothing of them."""
    cohort = unrelated(seed=2)
    crystals = Peaks(3 * cohort.best - 5, 3 * cohort.next - 5, cohort.at_zero)
    plain, periodic = Null.fit(unrelated(), 4000, cohort), Null.fit(unrelated(), 4000, crystals)
    nine = np.array([9.0])
    assert plain.elsewhere(nine)[0] < 1e-6
    assert periodic.elsewhere(nine)[0] > 1e-3
    assert plain.periodic < 0.01 < 0.2 < periodic.periodic


def test_a_pair_that_matches_at_several_places_has_to_stand_out_of_them() -> None:
    null = Null.fit(unrelated(), 4000, unrelated(seed=2))
    best, following = np.array([12.0, 12.0, 12.0]), np.array([4.0, 7.0, 11.5])
    chance, _ = null.chance(Peaks(best, following, np.zeros(3)))
    assert chance[0] < 1e-9
    assert chance[1] < 1e-3
    assert chance[2] > 0.1


# --- Shots of holes

HOLES, SHOTS = 20, 4
KNOWN = [Acquisition(hole=f"h{hole}", shot=str(shot)) for hole in range(HOLES) for shot in range(SHOTS)]


def looks(duplicates: dict[tuple[int, int], float], everywhere: float = 0.0) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Noise near any shift, but for some pairs; ``everywhere`` is added to all."""

    def look(pairs: np.ndarray, shifts: np.ndarray, turns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(7)
        assert len(pairs) == len(shifts) == len(turns)
        assert (pairs[:, 0] < pairs[:, 1]).all()
        z = rng.normal(2.3, 0.5, len(pairs)) + everywhere
        for k, pair in enumerate(map(tuple, pairs.tolist())):
            z[k] = duplicates.get(pair, z[k])
        return z, shifts + 1

    return look


def nowhere(z: np.ndarray) -> np.ndarray:
    """The chance of noise at the best of all shifts."""
    return np.minimum(np.exp(-(z - 4) / 0.2), 1.0)


def lead_of(pair: tuple[int, int], known: list[Acquisition], shift: tuple[float, float] = (90.0, -60.0), near_zero: bool = False) -> Lead:
    still = np.array([max(map(abs, shift)) < 1])
    (lead,) = leads_of([0], np.array([pair], np.uint32), np.array([shift]), np.zeros(1), np.array([near_zero]), still, known)
    return lead


def test_other_shots_of_two_holes_support_a_faint_pair() -> None:
    lead = lead_of((0, 40), KNOWN)
    assert lead.by_name
    assert lead.members == ((1, 41), (2, 42), (3, 43))
    (agreed,) = judge([lead], np.array([5.0]), KNOWN, looks({(0, 40): 5.0, (1, 41): 7.0, (2, 42): 6.0}), nowhere)
    (refused,) = judge([lead], np.array([5.0]), KNOWN, looks({(0, 40): 5.0}), nowhere)
    assert agreed.chance(1e-3) < 1e-5 < 1e-3 <= refused.chance(1e-3)
    assert (agreed.words(KNOWN, 0.01), refused.words(KNOWN, 0.01)) == ("3 of 4", "contradicted")


def test_an_edge_that_all_frames_share_supports_nothing_and_refutes() -> None:
    lead = lead_of((0, 40), KNOWN, (2.0, 1.0), near_zero=True)
    edge = {(0, 40): 8.0, (1, 41): 8.2, (2, 42): 7.8, (3, 43): 8.1}
    (opinion,) = judge([lead], np.array([8.0]), KNOWN, looks(edge, everywhere=5.5), nowhere)
    assert opinion.chance(1e-8) > 1e-3


def test_shots_of_holes_in_the_other_order_are_asked_at_the_opposite_shift() -> None:
    known = list(KNOWN)
    known[41], known[1] = Acquisition(hole="h0", shot="1"), Acquisition(hole="h10", shot="1")  # shot 1 of each was taken in the other's row
    asked: dict[tuple[int, int], list[float]] = {}

    def look(pairs: np.ndarray, shifts: np.ndarray, turns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        asked.update({tuple(pair): shift for pair, shift in zip(pairs.tolist(), shifts.tolist(), strict=True)})
        return np.full(len(pairs), 2.0), shifts

    judge([lead_of((0, 40), known)], np.array([5.0]), known, look, nowhere)
    assert asked[1, 41] == [-90.0, 60.0]
    assert asked[2, 42] == [90.0, -60.0]


def test_neighbours_stand_in_where_names_show_no_holes_but_not_near_zero_shift() -> None:
    unknown = [Acquisition()] * 60
    assert lead_of((10, 40), unknown).members == ((7, 37), (8, 38), (9, 39), (11, 41), (12, 42), (13, 43))
    assert lead_of((10, 40), unknown, (3.0, 3.0), near_zero=True).members == ()
    (agreed,) = judge([lead_of((10, 40), unknown)], np.array([5.0]), unknown, looks({(10, 40): 5.0, (11, 41): 9.0}), nowhere)
    assert agreed.chance(1e-3) < 1e-5
    assert agreed.words(unknown, 0.001) == "2 in a row"


def test_at_zero_shift_the_other_shots_support_nobody() -> None:
    lead = lead_of((0, 40), KNOWN, (0.2, 0.1), near_zero=True)
    assert lead.still
    (opinion,) = judge([lead], np.array([9.0]), KNOWN, looks({(0, 40): 9.0, (1, 41): 7.0, (2, 42): 6.0}), nowhere)
    assert opinion.chance(1e-3) >= 1e-3


def test_edges_that_lie_near_zero_shift_do_not_hide_pairs_elsewhere() -> None:
    """Decoys near zero shift reach 15, up and down; they tell nothing of those at other shifts."""
    leads = [lead_of((k, 40 + k), KNOWN, (2.0, 1.0), near_zero=True) for k in range(8)] + [lead_of((20, 60), KNOWN)]

    def look(pairs: np.ndarray, shifts: np.ndarray, turns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(7)
        z = np.where(np.abs(shifts).max(axis=1) < 10, rng.normal(0, 15, len(pairs)), rng.normal(2.3, 0.5, len(pairs)))
        return z, shifts

    opinions = judge(leads, np.full(9, 16.0), KNOWN, look, nowhere)
    assert opinions[-1].here < 1e-9
    assert all(opinion.here > 1e-3 for opinion in opinions[:-1])


def test_the_choice_of_decoys_is_the_same_every_time() -> None:
    lead = lead_of((0, 40), KNOWN)
    chances = {judge([lead], np.array([5.0]), KNOWN, looks({}), nowhere)[0].chance(1e-3) for _ in range(3)}
    assert len(chances) == 1
