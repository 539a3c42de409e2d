"""The choice on arrays equals that of a plain double loop."""

from __future__ import annotations

import numpy as np
import pytest

from cases import double_loop
from cryodedup import InputError, deduplicate

RNG = np.random.default_rng(20)


def lattice(n: int, dimensions: int) -> np.ndarray:
    return RNG.integers(0, 8, (n, dimensions)) * 10.0


ARRANGEMENTS = {
    "random": lambda d: RNG.random((300, d)) * 300,
    "crowded": lambda d: RNG.random((300, d)) * 60,
    "lattice": lambda d: lattice(300, d),
    "all equal": lambda d: np.full((100, d), 3.25),
    "at the border": lambda d: np.concatenate([np.zeros((50, d)), RNG.random((100, d)) * 1e-12, np.full((50, d), 4096.0)]),
    "on a line": lambda d: np.stack([np.arange(200.0) * 10, *[np.zeros(200)] * (d - 1)], axis=1),
    "negative": lambda d: RNG.random((200, d)) * 200 - 100,
    "single": lambda d: np.ones((1, d)),
    "none": lambda d: np.ones((0, d)),
}
SCORES = {
    "none": lambda n: None,
    "random": RNG.random,
    "tied": lambda n: RNG.integers(0, 3, n).astype(float),
    "with NaN": lambda n: np.where(RNG.random(n) < 0.3, np.nan, RNG.integers(0, 5, n)),
    "all NaN": lambda n: np.full(n, np.nan),
    "falling": lambda n: -np.arange(n, dtype=float),
}


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("scores", SCORES)
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_kept_as_by_a_double_loop(arrangement: str, scores: str, dimensions: int) -> None:
    points = ARRANGEMENTS[arrangement](dimensions)
    groups = RNG.integers(0, 3, len(points))
    values = SCORES[scores](len(points))
    oracle_scores = np.zeros(len(points)) if values is None else values
    for separation in (0.0, 10.0, 14.2, 1e6):
        expected = double_loop(points, groups, oracle_scores, separation)
        for threads in (1, 2, 7):
            found = deduplicate(points, groups, values, separation, threads=threads)
            np.testing.assert_array_equal(found.kept, expected)
            np.testing.assert_array_equal(np.flatnonzero(~expected), found.rejected)
            assert expected[found.duplicate_of].all()
            np.testing.assert_allclose(found.distances_a, np.linalg.norm(points[found.rejected] - points[found.duplicate_of], axis=1))


def test_a_distance_equal_to_the_separation_is_a_duplicate() -> None:
    assert deduplicate([[0, 0], [3, 4]], min_separation_a=5).kept.tolist() == [True, False]
    assert deduplicate([[0, 0], [3, 4]], min_separation_a=np.nextafter(5, 0)).kept.tolist() == [True, True]


def test_groups_may_be_names_or_any_integers() -> None:
    points = np.zeros((4, 2))
    for groups in (["b", "a", "b", "a"], [-5, 10**12, -5, 10**12], np.array([3, 1, 3, 1], np.uint32)):
        assert deduplicate(points, groups).kept.tolist() == [True, True, False, False]


def test_priority_goes_before_the_score() -> None:
    found = deduplicate(np.zeros((3, 2)), scores=[1, 9, 9], priority=[0, 1, 1])
    assert found.kept.tolist() == [True, False, False]


def test_removed_entirely() -> None:
    points = [[0, 0], [10, 0], [20, 0], [100, 0], [200, 0], [200, 0]]
    assert deduplicate(points, min_separation_a=10, remove_entirely=True).kept.tolist() == [False, False, False, True, False, False]


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_removed_entirely_for_the_nearest_other(arrangement: str, dimensions: int) -> None:
    points = ARRANGEMENTS[arrangement](dimensions)
    scores = RNG.integers(0, 3, len(points)).astype(float)
    squares = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    order = np.lexsort((np.arange(len(points)), -scores))
    for separation in (10.0, 14.2):
        found = deduplicate(points, None, scores, separation, remove_entirely=True)
        rejected = np.flatnonzero((squares <= separation**2).any(axis=1))
        np.testing.assert_array_equal(found.rejected, rejected)
        if len(rejected):
            np.testing.assert_array_equal(found.duplicate_of, order[squares[rejected][:, order].argmin(axis=1)])  # the first is the best


def test_chains_are_not_over_deleted() -> None:
    """One per connected component would keep 1 of these, deleting whatever is near a later row 1; every second can stay."""
    chain = np.stack([np.arange(9) * 15.0, np.zeros(9)], axis=1)
    assert deduplicate(chain, min_separation_a=20).kept.sum() == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"coordinates_a": [1, 2]}, "coordinates_a: found shape (2,), expected (n, 2) or (n, 3)"),
        ({"coordinates_a": [[1], [2]]}, "coordinates: found 1 columns, expected 2 or 3"),
        ({"coordinates_a": [[0, 0], [1, np.inf]]}, "particle 1, coordinate 1: found inf, expected a finite number"),
        ({"coordinates_a": [[0, 0]], "scores": [1, 2]}, "scores: found 2 values, expected 1, one a particle"),
        ({"coordinates_a": [[0, 0]], "groups": [1, 2]}, "groups: found 2 values, expected 1, one a particle"),
        ({"coordinates_a": [[0, 0]], "groups": [np.nan]}, "groups: found nan, expected integers or names"),
        ({"coordinates_a": [[0, 0]], "priority": [-1]}, "priority"),
        ({"coordinates_a": [[0, 0]], "min_separation_a": -1}, "min_separation_a: found -1, expected a number of Å, 0 or more"),
        ({"coordinates_a": [["a", "b"]]}, "coordinates_a: could not convert string to float"),
        ({"coordinates_a": [[0, 0], [1]]}, "coordinates_a: "),
        ({"coordinates_a": [[1j, 0]]}, "coordinates_a: found values of type complex128, expected numbers"),
        ({"coordinates_a": np.ma.zeros((2, 2))}, "coordinates_a: found a masked array, expected one without gaps"),
        ({"coordinates_a": [[0, 0]], "scores": [[1]]}, "scores: found shape (1, 1), expected (n,)"),
        ({"coordinates_a": [[0, 0]], "groups": [[1]]}, "groups: found shape (1, 1) of type int64, expected (n,) integers or names"),
        ({"coordinates_a": [[0, 0]], "groups": [None]}, "groups: found shape (1,) of type object, expected (n,) integers or names"),
        ({"coordinates_a": [[0, 0]], "threads": -1}, "threads: found -1"),
        ({"coordinates_a": [[0, 0]], "threads": "2"}, "threads: found '2', expected a whole number"),
        ({"coordinates_a": [[0, 0]], "min_separation_a": None}, "min_separation_a: found None, expected a number"),
    ],
)
def test_bad_input(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        deduplicate(**arguments)
    assert message in str(error.value)
