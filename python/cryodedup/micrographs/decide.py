"""Which micrographs are kept: the greedy rule of the particles, in the order of ``--keep``.

Go through the micrographs from the first to the last in that order; remove one if it shares at least ``min_overlap`` of the frame with one
that is already kept. So every removed micrograph has a kept partner with a pair of that overlap, no two kept ones have, and no chain is
over-deleted: of a montage, whose neighbours overlap by a tenth, every frame is kept. One of each connected component, the rule before, kept
1 of 49.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cryodedup.micrographs.compare import Pair
from cryodedup.names import as_parameters, named
from cryodedup.params import MicrographParams
from cryodedup.text import count


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Holds what stays, and why the others go.

    Attributes
    ----------
    kept
        bool (n,): whether the micrograph stays.
    sets
        A kept micrograph and those removed for it, in the order of ``--keep``; the sets in the order of their kept ones.
    pairs
        First those of ``duplicates.csv`` (:attr:`Pair.set` counts the sets from 1): ``second`` is removed; ``first`` is kept, or is
        removed too and comes before ``second`` in the order of ``--keep``. Then those of ``overlaps.csv`` (set 0), in that order, too.
    """

    kept: NDArray[np.bool_]
    sets: list[list[int]]
    pairs: list[Pair]


@dataclass(frozen=True)
class Withheld:
    """Why a result is withheld, and the options that accept it."""

    reason: str
    options: str

    def __str__(self) -> str:
        return as_parameters(self.text)

    @property
    def text(self) -> str:
        """Returns what a user has to know, with marks for the names of parameters."""
        return (
            f"{self.reason}; micrographs_kept.* and micrographs_removed.* were not written. Check the pairs in duplicates.csv, or on the"
            f" page. If they are right, add {named('resume', True)} {self.options} to the command and run it again; no image is read again"
        )


def ranking(order: Sequence[int], ctf_a: NDArray[np.float64] | None) -> NDArray[np.int64]:
    """The rank of each micrograph in the order in which they are kept, int64 (n,), from 0.

    Parameters
    ----------
    order
        Indices in the order of exposure.
    ctf_a
        Resolution to which the CTF was fitted, Å (n,): the best comes first, one that is not known last; None: the earliest comes first.
    """
    rank = np.empty(len(order), np.int64)
    rank[list(order)] = np.arange(len(order))
    if ctf_a is None:
        return rank
    resolution = np.where(np.isfinite(ctf_a) & (ctf_a > 0), ctf_a, np.inf)
    return np.lexsort((rank, resolution)).argsort()


def decide(pairs: Sequence[Pair], rank: Sequence[int] | NDArray[np.int64], min_overlap: float) -> Decision:
    """Keeps each micrograph unless it shares ``min_overlap`` of the frame, or more, with one kept before it.

    Parameters
    ----------
    pairs
        At most one pair of any two micrographs.
    rank
        Of each micrograph, as :func:`ranking` returns: no two are equal.
    """
    ordered = [pair if rank[pair.first] < rank[pair.second] else swapped(pair) for pair in pairs]
    strong = [pair for pair in ordered if pair.overlap >= min_overlap]
    weak = [replace(pair, set=0) for pair in ordered if not pair.overlap >= min_overlap]
    originals = _originals(strong, rank)
    kept = np.ones(len(rank), bool)
    kept[list(originals)] = False
    number = {i: k + 1 for k, i in enumerate(sorted(set(originals.values()), key=lambda i: rank[i]))}
    set_of = number | {i: number[original] for i, original in originals.items()}
    strong = [swapped(pair) if kept[pair.second] else pair for pair in strong]  # in a chain of three the last is kept, the middle is not
    duplicates = [replace(pair, set=set_of[pair.second]) for pair in strong]
    # The rows of a set follow each other, so do those of a removed micrograph, and that with its original comes first.
    duplicates.sort(key=lambda pair: (pair.set, rank[pair.second], pair.first != originals[pair.second], rank[pair.first]))
    weak.sort(key=lambda pair: (rank[pair.first], rank[pair.second]))
    sets: list[list[int]] = [[] for _ in number]
    for i in sorted(set_of, key=lambda i: rank[i]):
        sets[set_of[i] - 1].append(i)
    return Decision(kept=kept, sets=sets, pairs=duplicates + weak)


def withhold(decision: Decision, exposures: int, params: MicrographParams) -> Withheld | None:
    """Whether more is removed than the limits of ``params`` allow.

    ``exposures``: the number of micrographs, versions of one exposure counted once.
    """
    removed = sum(len(members) - 1 for members in decision.sets)
    largest = max(map(len, decision.sets), default=0)
    reasons, options = [], []
    if removed > params.max_removed * exposures + 1e-9:  # 0.35 of 20 is 7
        share = f"{100 * removed / exposures:.0f} %"
        reasons.append(
            f"{removed:,} of {count(exposures, 'exposure')} ({share}) would be removed, more than"
            f" {named('max_removed', format(params.max_removed, 'g'))}"
        )
        options.append(named("max_removed", "1"))
    if largest > params.max_set:
        reasons.append(f"one set holds {largest:,} micrographs, more than {named('max_set', params.max_set)}")
        options.append(named("max_set", largest))
    return Withheld(", and ".join(reasons), " ".join(options)) if reasons else None


def swapped(pair: Pair) -> Pair:
    """The same pair with its second micrograph first."""
    x, y = pair.shift_px
    return replace(
        pair,
        first=pair.second,
        second=pair.first,
        shift_px=(0.0 - x, 0.0 - y),
        rotation_deg=0.0 - pair.rotation_deg,
        scale=1 / pair.scale,
    )


def _originals(strong: Sequence[Pair], rank: Sequence[int] | NDArray[np.int64]) -> dict[int, int]:
    """The kept micrograph for which each removed one goes: of several that of the largest overlap, then of the highest z."""
    before: dict[int, list[Pair]] = {}
    for pair in strong:
        before.setdefault(pair.second, []).append(pair)
    originals: dict[int, int] = {}
    for i in sorted(before, key=lambda i: rank[i]):
        if of_kept := [pair for pair in before[i] if pair.first not in originals]:
            originals[i] = max(of_kept, key=lambda pair: (pair.overlap, pair.z, -rank[pair.first])).first
    return originals
