"""What a self-test found of the second exposures that were planted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cryodedup.components import connected_components
from cryodedup.micrographs.compare import Pair
from cryodedup.micrographs.decide import decide
from cryodedup.micrographs.planting import DAMAGE, Planted
from cryodedup.params import MicrographParams

BANDS = ((0.5, 1.0), (0.3, 0.5), (0.15, 0.3))
"""Recall is reported for overlaps in these ranges; the last one includes overlaps that jitter pushes below it."""
TOLERANCE = 4
"""A planted pair counts as found if its shift is correct to this many reduced pixels."""
CONTRADICTION, IMPLIED = 0.15, 5  # recalls that differ by more contradict each other, if so many pairs are implied by others
MAX_NAMED = 20
"""Maximum number of false pairs named in the summary."""

Edge = tuple[int, int]


@dataclass(frozen=True)
class Band:
    """Second exposures whose overlap is in a range: how many were planted and found, and the median significance of those found."""

    overlap: tuple[float, float]
    planted: int
    found: int
    median_z: float | None

    @property
    def recall(self) -> float | None:
        """The share that was found; None if none was planted."""
        return self.found / self.planted if self.planted else None


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """Result of the self-test: which planted second exposures were found.

    Attributes
    ----------
    reason
        Why the test tells nothing; empty if it does.
    micrographs, rounds
        Number of micrographs in each round, and of rounds.
    fdr
        The false-discovery rate of the test; None if ``threshold`` decides.
    damage
        The share of the correlation that second exposures were given; ``measured_on``: how many pairs of the session show it, 0: too few.
    implied
        How many pairs of the session the shifts of others imply, and how many of these were found.
    by_hole
        Whether names give holes, so that all shots of a hole were exposed again.
    bands
        Recall by overlap.
    false_pairs
        Names of accepted pairs that were not planted and that the real search does not put into the same set.
    own_false
        How many of them (listed first) are between two unchanged micrographs of the session: false, or missed by the real search.
    removed_wrongly
        Micrographs, in all rounds, that the decision removed although no kept one shows the same area.
    found
        The overlap of each planted exposure with the significance of its pair; None if it was not found.
    """

    reason: str = ""
    micrographs: int = 0
    rounds: int = 0
    fdr: float | None = None
    damage: float = DAMAGE
    measured_on: int = 0
    implied: tuple[int, int] = (0, 0)
    by_hole: bool = False
    bands: tuple[Band, ...] = ()
    false_pairs: tuple[tuple[str, str], ...] = ()
    own_false: int = 0
    removed_wrongly: int = 0
    found: tuple[tuple[float, float | None], ...] = field(default=(), repr=False)

    @property
    def planted(self) -> int:
        """Number of second exposures in all rounds."""
        return sum(band.planted for band in self.bands)

    @property
    def contradiction(self) -> str:
        """That pairs which others imply are found much more rarely, or more often, than what was planted with as much overlap; or ""."""
        there, found = self.implied
        planted, hit = (sum(getattr(band, name) for band in self.bands[:2]) for name in ("planted", "found"))
        if there < IMPLIED or not planted or abs(found / there - hit / planted) <= CONTRADICTION:
            return ""
        return (
            f"no result: {hit:,} of {planted:,} planted second exposures were found, but {found:,} of {there:,} pairs of the session that"
            " the shifts of other pairs imply; the planted exposures are therefore not like this session's own second visits"
        )

    def summary(self) -> dict[str, Any]:
        """Returns what ``summary.json`` holds."""
        if self.reason:
            return {"reason": self.reason}
        return {
            "micrographs": self.micrographs,
            "rounds": self.rounds,
            "fdr": self.fdr,
            "planted": self.planted,
            "planted_by_hole": self.by_hole,
            "kept_of_correlation": round(self.damage, 3),
            "kept_measured_on_pairs": self.measured_on,
            "pairs_implied_by_others": {"there": self.implied[0], "found": self.implied[1]},
            "recall": [
                {
                    "overlap": list(band.overlap),
                    "planted": band.planted,
                    "found": band.found,
                    "recall": None if band.recall is None else round(band.recall, 3),
                    "median_z": band.median_z,
                }
                for band in self.bands
            ],
            "false_pairs": len(self.false_pairs),
            "false_pairs_of_own_micrographs": self.own_false,
            "false_pairs_named": [list(names) for names in self.false_pairs[:MAX_NAMED]],
            "removed_wrongly": self.removed_wrongly,
        }


class Score:
    """Collects the results of all rounds; rows number the micrographs of the self-test."""

    def __init__(self, names: Sequence[str], duplicates: Iterable[Edge], params: MicrographParams) -> None:
        self._names, self._params = names, params
        self._duplicates = list(duplicates)
        self.same = _same(self._duplicates)
        self.found: list[tuple[float, float | None]] = []
        self.rounds = 0
        self._own: set[tuple[str, str]] = set()
        self._others: list[tuple[str, str]] = []
        self._removed_wrongly = 0

    def add(self, planted: Sequence[Planted], pairs: Sequence[Pair]) -> None:
        """Counts one round."""
        self.rounds += 1
        of = {edge_of(one.original, one.host): one for one in planted}
        originals = {one.host: one.original for one in planted}
        related = _same([*self._duplicates, *of])
        z: dict[Planted, float] = {}
        for pair in pairs:
            edge = edge_of(pair.first, pair.second)
            if edge in of and _moved_alike(pair, of[edge], self._params.bin):
                z[of[edge]] = pair.z
            elif not originals.keys() & set(edge):
                self._own |= {self._named(edge, {})} if edge not in self.same else set()
            elif edge in of or edge not in related:
                self._others.append(self._named(edge, originals))
        self.found += [(one.overlap, z.get(one)) for one in planted]
        kept = decide(pairs, list(range(len(self._names))), self._params.least_overlap).kept
        shown = {row for edge in related for row, other in (edge, edge[::-1]) if kept[other]}
        self._removed_wrongly += sum(int(row) not in shown for row in np.flatnonzero(~kept))

    def result(self, *, micrographs: int, fdr: float | None, by_hole: bool) -> SelfTest:
        """The result of all rounds."""
        return SelfTest(
            micrographs=micrographs,
            rounds=self.rounds,
            fdr=fdr,
            by_hole=by_hole,
            bands=tuple(self._band(k) for k in range(len(BANDS))),
            false_pairs=(*sorted(self._own), *self._others),
            own_false=len(self._own),
            removed_wrongly=self._removed_wrongly,
            found=tuple(self.found),
        )

    def _band(self, k: int) -> Band:
        low, high = BANDS[k]
        low = 0.0 if k == len(BANDS) - 1 else low
        of_band = [z for overlap, z in self.found if low <= overlap and (k == 0 or overlap < high)]
        z = [value for value in of_band if value is not None]
        return Band(BANDS[k], len(of_band), len(z), round(float(np.median(z)), 2) if z else None)

    def _named(self, edge: Edge, originals: Mapping[int, int]) -> tuple[str, str]:
        def name(row: int) -> str:
            if row not in originals:
                return self._names[row]
            return f"second exposure of {self._names[originals[row]]} in place of {self._names[row]}"

        return name(edge[0]), name(edge[1])


def edge_of(i: int, j: int) -> Edge:
    """Two rows, the lower one first."""
    return (i, j) if i < j else (j, i)


def _same(edges: Iterable[Edge]) -> set[Edge]:
    """All pairs of rows that are connected by a chain of edges."""
    return {(i, j) for component in connected_components(edges) for i in component for j in component if i < j}


def _moved_alike(pair: Pair, planted: Planted, bin: int) -> bool:
    sign = 1 if pair.first == planted.original else -1
    return all(abs(sign * found - bin * move) <= TOLERANCE * bin for found, move in zip(pair.shift_px, planted.move, strict=True))
