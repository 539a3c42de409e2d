"""Places in a micrograph where particles are duplicates of each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup.report.figure import without_directories
from cryodedup.report.figures.examples import Example, Extent

MAX_SPOTS, MAX_DRAWN = 24, 4000
"""How many are drawn of each micrograph, and particles in all of them; the places with the most duplicates come first."""
MIN_DIAMETERS = 7.0
"""Least side of a spot, in diameters of the particles."""
DEEP = 1.0
"""In a tomogram, particles of a spot are at most this many diameters above or below it."""
MAX_NAMED = 6


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A place.

    Attributes
    ----------
    winner
        The particle that the others duplicate; or one that is rejected and duplicates none here.
    duplicates
        int64 (m,): the particles that are rejected for it.
    shown
        int64 (k,): all particles within the window.
    window_a
        Left, right, bottom and top, Å.
    words
        What is kept and what is rejected, and how far apart they are.
    """

    winner: int
    duplicates: NDArray[np.int64]
    shown: NDArray[np.int64]
    window_a: Extent
    words: str


def spots(example: Example, rejected_word: str) -> list[Spot]:
    """The places of an example, those with the most particles first."""
    rejected = np.flatnonzero(~example.kept | (example.duplicate_of >= 0))
    winner_of = np.where(example.duplicate_of[rejected] >= 0, example.duplicate_of[rejected], rejected)
    # Two that duplicate each other, as with remove_entirely, are one place.
    mutual = example.duplicate_of[winner_of] == rejected
    winner_of = np.where(mutual, np.minimum(winner_of, rejected), winner_of)
    winners, counts = np.unique(winner_of, return_counts=True)
    found: list[Spot] = []
    for winner in winners[np.lexsort((winners, -counts))][:MAX_SPOTS].tolist():
        found.append(_spot(example, winner, rejected[(winner_of == winner) & (rejected != winner)], rejected_word))
        if sum(len(spot.shown) for spot in found) > MAX_DRAWN:
            break
    return found


def all_spots(example: Example) -> int:
    """How many places there are, shown or not, about: two that duplicate each other count as two."""
    return len(np.unique(example.duplicate_of[example.duplicate_of >= 0]))


def _spot(example: Example, winner: int, duplicates: NDArray[np.int64], rejected_word: str) -> Spot:
    members = np.append(duplicates, winner)
    points = example.centres_a[members]
    low, high = points.min(axis=0), points.max(axis=0)
    left, right, bottom, top = example.extent_a
    side = max(MIN_DIAMETERS * example.diameter_a, float((high - low).max()) + 3.0 * example.diameter_a)
    half = 0.5 * min(side, max(right - left, top - bottom))
    x, y = 0.5 * (low + high)
    window = (float(x - half), float(x + half), float(y - half), float(y + half))
    return Spot(winner=winner, duplicates=duplicates, shown=_within(example, window, members), window_a=window,
                words=_words(example, winner, duplicates, rejected_word))  # fmt: skip


def _within(example: Example, window: Extent, members: NDArray[np.int64]) -> NDArray[np.int64]:
    left, right, bottom, top = window
    reach = 0.5 * example.diameter_a
    x, y = example.centres_a.T
    inside = (x > left - reach) & (x < right + reach) & (y > bottom - reach) & (y < top + reach)
    if example.depths_a is not None:
        depths = example.depths_a[members]
        beyond = DEEP * example.diameter_a
        inside &= (example.depths_a >= depths.min() - beyond) & (example.depths_a <= depths.max() + beyond)
    inside[members] = True
    return np.flatnonzero(inside)


def _words(example: Example, winner: int, duplicates: NDArray[np.int64], rejected_word: str) -> str:
    """Returns what is kept and what is rejected."""
    named = named_by_input(example)
    if not len(duplicates):
        return f"Rejected: {named(winner)}. No kept particle of this micrograph is its duplicate."
    places = example.centres_a if example.depths_a is None else np.column_stack([example.centres_a, example.depths_a])
    apart = np.linalg.norm(places[duplicates] - places[winner], axis=1)
    nearest = np.argsort(apart, kind="stable")
    listed = ", ".join(f"{named(int(duplicates[k]))} ({apart[k]:.1f} Å away)" for k in nearest[:MAX_NAMED])
    more = f", and {len(duplicates) - MAX_NAMED} more" if len(duplicates) > MAX_NAMED else ""
    best = "Best" if rejected_word == "duplicates" else "Kept"
    if not example.kept[winner]:
        return f"{rejected_word.capitalize()}: {named(winner)}, and {listed}{more}."
    return f"{best}: {named(winner)}. {rejected_word.capitalize()}: {listed}{more}."


def named_by_input(example: Example) -> Callable[[int], str]:
    """How a particle is called: by its input, if there are several."""
    names = without_directories(example.inputs)
    return (lambda i: names[int(example.source_of[i])]) if len(names) > 1 else (lambda i: "1 particle")
