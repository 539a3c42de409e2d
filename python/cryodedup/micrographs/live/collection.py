"""Micrographs of one size, each of which is compared with all earlier ones when it comes.

The statistics are those of a whole session, gathered as it grows. Until :data:`FIRST` micrographs are
there, nothing is compared: the fixed pattern of the camera is not known, and the null distribution has too few pairs. At each of
:data:`ANEW` the pattern is known so much better that all pairs are compared anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.compare import Criteria
from cryodedup.micrographs.measuring import Class, Pair, pair_of
from cryodedup.params import MicrographParams

FIRST = 24
"""Number of micrographs from which on pairs are compared: that from which on a fixed pattern is subtracted."""
ANEW = (FIRST, 72, 144)
"""At these numbers of micrographs all pairs are compared anew."""
PATTERN = 144
"""Number of latest micrographs whose fixed pattern is taken out of the next :data:`REFRESH`."""
REFRESH = 48
ALL = 600
"""Up to this many earlier micrographs, all of them are compared closely with a new one; of more, the best at low resolution."""
CLOSELY = 300
MIRRORED = 3
"""One new micrograph in this many is also compared mirrored, of the first ones each."""
COHORT = 20
"""Number of random earlier micrographs with which a new one is compared, to measure what unrelated pairs reach."""
KEPT = 8
"""Number of the best pairs of each micrograph that stay in the table, and of those at zero shift."""
_MAX_NULL = 20_000
"""Number of mirrored pairs, the highest, and of random pairs, the latest, that the null distributions are made of."""
_COLUMNS = ("pairs", "shift_px", "z", "z_next", "z_at_zero")

Table = dict[str, NDArray[Any]]


def _empty() -> Table:
    two, one = np.zeros((0, 2)), np.zeros(0)
    return {"pairs": two.astype(np.uint32), "shift_px": two, "z": one, "z_next": one, "z_at_zero": one}


@dataclass
class Gathered:
    """Holds what the comparisons so far have shown: it is saved, and goes on from there.

    Attributes
    ----------
    covered
        Number of micrographs that were compared with all earlier ones.
    tested, decoys_tested
        Numbers of pairs, and of pairs with a mirrored micrograph.
    table
        The best pairs of each micrograph.
    mirrored, cohort
        Pairs with mirrored micrographs, and random ones.
    """

    covered: int = 0
    tested: int = 0
    decoys_tested: int = 0
    table: Table = field(default_factory=_empty)
    mirrored: Table = field(default_factory=_empty)
    cohort: Table = field(default_factory=_empty)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays by name, to be saved."""
        tables = {"table": self.table, "mirrored": self.mirrored, "cohort": self.cohort}
        counts: dict[str, NDArray[Any]] = {"counts": np.array([self.covered, self.tested, self.decoys_tested], np.int64)}
        return counts | {f"{kind}.{name}": column for kind, one in tables.items() for name, column in one.items()}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Gathered:
        """From arrays that were saved."""
        covered, tested, decoys_tested = (int(count) for count in np.asarray(arrays["counts"]))
        tables = [{name: np.asarray(arrays[f"{kind}.{name}"]) for name in _COLUMNS} for kind in ("table", "mirrored", "cohort")]
        return cls(covered, tested, decoys_tested, *tables)


class Collection:
    """The micrographs of one size; ``gathered``: of an earlier run."""

    def __init__(self, params: MicrographParams, gathered: Gathered | None = None) -> None:
        self._params = params
        self.records: list[_core.Record] = []
        self.acquisitions: list[Acquisition] = []
        self.gathered = gathered or Gathered()
        self._session: _core.Session | None = None
        self._coarse: _core.LowResolution | None = None
        self._pattern: _core.FixedPattern | None = None

    def __len__(self) -> int:
        return len(self.records)

    def restore(self, records: Sequence[_core.Record], acquisitions: Sequence[Acquisition]) -> list[Pair]:
        """Takes up the micrographs that an earlier run has compared; their views are made again.

        Returns all duplicates: that run may have ended between comparing and reporting.
        """
        self.records, self.acquisitions = list(records), list(acquisitions)
        if len(records) < FIRST:
            return []
        self._load()
        return self._judged(0)

    def add(self, record: _core.Record, acquisition: Acquisition) -> list[Pair]:
        """Compares a new micrograph with all earlier ones; returns new duplicates, by their numbers in this collection."""
        self.records.append(record)
        self.acquisitions.append(acquisition)
        n = len(self.records)
        if n < FIRST:
            return []
        if n in ANEW or self._session is None:
            return self._compare_anew()
        assert self._coarse is not None
        if n % REFRESH == 0:
            self._pattern = self._pattern_before(n - 1)  # not of the new one itself
        assert self._pattern is not None
        band, threads = self._params.search_band, self._params.threads
        self._session = self._session.extended([record], band=band, pattern=self._pattern, threads=threads)
        self._coarse = self._coarse.extended(self._session, threads=threads)
        was_ready, gathered = self.is_ready, replace(self.gathered, covered=n)
        self._compare(self._session, self._coarse, n - 1, gathered)
        self.gathered = gathered  # at once: what a signal interrupts has not been
        # Now and then, pairs that were not clear before are judged again.
        return self._judged(n - 1 if was_ready and n % REFRESH else 0)

    def _load(self) -> None:
        band, threads = self._params.search_band, self._params.threads
        self._session = _core.Session.load(self.records, band=band, threads=threads)
        self._coarse = _core.LowResolution(self._session, self._params.max_shift_reduced_px, threads=threads)
        self._pattern = self._pattern_before(len(self))

    def _pattern_before(self, end: int) -> _core.FixedPattern:
        """Estimates the fixed pattern of the micrographs before one."""
        first = max(0, end - PATTERN)
        return _core.FixedPattern(self.records[first:end], first, band=self._params.search_band, threads=self._params.threads)

    def _compare_anew(self) -> list[Pair]:
        self._load()
        assert self._session is not None
        assert self._coarse is not None
        gathered = Gathered(covered=len(self.records))
        for i in range(1, len(self.records)):
            self._compare(self._session, self._coarse, i, gathered)
        self.gathered = gathered
        return self._judged(0)

    def _compare(self, session: _core.Session, coarse: _core.LowResolution, i: int, gathered: Gathered) -> None:
        """Compares a micrograph with all before it."""
        gathered.tested += i
        found = self._closely(session, i, self._partners(coarse, i, mirrored=False), mirrored=False)
        best = {*np.argsort(found["z"])[-KEPT:].tolist(), *np.argsort(found["z_at_zero"])[-KEPT:].tolist()}
        gathered.table = _joined(gathered.table, found, np.array(sorted(best), np.intp))
        if i < ANEW[-1] or i % MIRRORED == 0:
            gathered.decoys_tested += i
            mirrored = self._closely(session, i, self._partners(coarse, i, mirrored=True), mirrored=True)
            gathered.mirrored = _joined(gathered.mirrored, mirrored)
            gathered.mirrored = _of_rows(gathered.mirrored, np.sort(np.argsort(-gathered.mirrored["z"], kind="stable")[:_MAX_NULL]))
        chosen = np.random.default_rng([3, i]).choice(i, min(COHORT, i), replace=False).astype(np.uint32)
        at_random = self._closely(session, i, np.sort(chosen), mirrored=False)
        cohort = _joined(gathered.cohort, at_random)
        gathered.cohort = _of_rows(cohort, np.arange(len(cohort["z"]))[-_MAX_NULL:])

    def _partners(self, coarse: _core.LowResolution, i: int, *, mirrored: bool) -> NDArray[np.uint32]:
        if i <= ALL:
            return np.arange(i, dtype=np.uint32)
        return coarse.nearest(i, CLOSELY, mirrored=mirrored, threads=self._params.threads)

    def _closely(self, session: _core.Session, i: int, partners: NDArray[np.uint32], *, mirrored: bool) -> Table:
        """The new one is compared as the first of each pair, which is faster; the shift is then inverted."""
        pairs = np.stack([np.full(len(partners), i, np.uint32), partners], axis=1)
        params = self._params
        found = session.find(pairs, params.max_shift_reduced_px, mirrored=mirrored, threads=params.threads)
        columns = [pairs[:, ::-1], -found.shift_px.astype(float), found.z, found.z_next, found.z_at_zero]
        return {name: np.ascontiguousarray(column) for name, column in zip(_COLUMNS, columns, strict=True)}

    @property
    def is_ready(self) -> bool:
        """Whether the null distributions have enough pairs."""
        return len(self.gathered.mirrored["z"]) >= _core.MIN_FOR_NULL and len(self.gathered.cohort["z"]) >= _core.MIN_FOR_NULL

    def _judged(self, start: int) -> list[Pair]:
        """The duplicates among the pairs whose second micrograph is at ``start`` or later."""
        session, gathered = self._session, self.gathered
        if session is None or not self.is_ready:
            return []
        of_class = Class(members=range(len(self)), records=self.records, places=range(len(self)), acquisitions=self.acquisitions, maps=())
        found = _core.conclude(
            session,
            _core.Block(*map(_listed, (gathered.table, gathered.mirrored, gathered.cohort))),
            tested=gathered.tested,
            decoys_tested=gathered.decoys_tested,
            asked=Criteria.of(self.acquisitions, self._params, first=start),
            threads=self._params.threads,
        )
        return [pair_of(found, int(row), of_class, self._params) for row in np.flatnonzero(found.accepted)]


def _joined(before: Table, more: Table, rows: NDArray[np.intp] | None = None) -> Table:
    return {name: np.concatenate([before[name], column if rows is None else column[rows]]) for name, column in more.items()}


def _of_rows(table: Table, rows: NDArray[np.intp]) -> Table:
    return {name: column[rows] for name, column in table.items()}


def _listed(table: Table) -> SimpleNamespace:
    """The columns of a block of comparisons."""
    n = len(table["z"])
    pairs, reals = np.ascontiguousarray(table["pairs"], np.uint32), {name: np.asarray(table[name], np.float64) for name in _COLUMNS[1:]}
    return SimpleNamespace(at=np.arange(n, dtype=np.uint64), pairs=pairs, turn_deg=np.zeros(n), **reals)
