"""The two guarantees, for whatever hypothesis comes up with."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cryodedup import deduplicate

coordinate = st.one_of(st.integers(0, 30).map(lambda i: i * 2.5), st.floats(-1e6, 1e6))
score = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.integers(0, 3).map(float))


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    dimensions = draw(st.integers(2, 3))
    points = draw(st.lists(st.tuples(*[coordinate] * dimensions), max_size=60))
    n = len(points)
    groups = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    scores = draw(st.lists(score, min_size=n, max_size=n))
    separation = draw(st.one_of(st.just(0.0), st.just(2.5), st.floats(0.1, 100)))
    return np.array(points, float).reshape(n, dimensions), np.array(groups, int), np.array(scores, float), separation


@given(problems())
def test_no_two_kept_ones_are_near_and_each_rejected_one_has_a_better_kept_one(
    problem: tuple[np.ndarray, np.ndarray, np.ndarray, float],
) -> None:
    points, groups, scores, separation = problem
    found = deduplicate(points, groups, scores, separation)
    kept = np.flatnonzero(found.kept)
    difference = points[kept][:, None] - points[kept][None]
    # Of a separation of 0 the square would underflow.
    close = (difference**2).sum(axis=2) <= separation**2 if separation else (difference == 0).all(axis=2)
    near = close & (groups[kept][:, None] == groups[kept][None])
    assert near.sum() == len(kept)  # each only with itself
    better = np.nan_to_num(scores[found.duplicate_of], nan=-np.inf) >= np.nan_to_num(scores[found.rejected], nan=-np.inf)
    assert found.kept[found.duplicate_of].all()
    assert better.all()
    assert (((points[found.rejected] - points[found.duplicate_of]) ** 2).sum(axis=1) <= separation**2).all()
    assert (groups[found.rejected] == groups[found.duplicate_of]).all()


@given(problems())
def test_the_order_of_the_groups_changes_nothing(problem: tuple[np.ndarray, np.ndarray, np.ndarray, float]) -> None:
    points, groups, scores, separation = problem
    names = np.array([2, 0, 1])
    order = np.argsort(names[groups], kind="stable")
    first = deduplicate(points, groups, scores, separation, threads=1)
    second = deduplicate(points[order], groups[order], scores[order], separation, threads=7)
    np.testing.assert_array_equal(first.kept[order], second.kept)
