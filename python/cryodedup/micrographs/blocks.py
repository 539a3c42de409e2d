"""Comparing the pairs of one class of micrographs closely, in blocks that any number of processes can share.

Whatever the number of blocks, joined they are the same to the bit: a pair's result does not depend on the other pairs, and each block takes
all pairs of its first micrographs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.micrographs.judging import Best
from cryodedup.micrographs.measuring import Class
from cryodedup.micrographs.places import Places
from cryodedup.micrographs.significance import Peaks
from cryodedup.micrographs.window import sampled, window_pairs
from cryodedup.params import MicrographParams
from cryodedup.progress import SILENT, Progress

Shard = tuple[int, int]
"""The number of a block, from 0, and how many there are."""
WHOLE: Shard = (0, 1)
COHORT = 10_000
"""Number of random pairs, used if not all pairs are compared closely, to measure what unrelated pairs reach."""
MAX_IN_MEMORY = 12_000
"""The views of more micrographs than these (about 0.15 MB each) are kept in a file."""
_KINDS = ("candidates", "mirrored", "random")
_COLUMNS = ("at", "pairs", "shift_px", "turn_deg", "z", "z_next", "z_at_zero", "overlap")


@dataclass(frozen=True)
class Planned:
    """A class of micrographs that is ready to be compared.

    Attributes
    ----------
    screening
        How its pairs are screened; None in a window search.
    screener
        What screens them; None where it is not needed any more.
    """

    session: _core.Session
    screening: _core.Screening | None
    screener: _core.Screener | None

    @property
    def is_screened(self) -> bool:
        """Whether only the pairs that are likely at low resolution are compared closely."""
        return self.screening is not None and self.screening.grid is not None

    def are_all_compared(self, places: Sequence[int], params: MicrographParams) -> bool:
        """Whether every pair of the class is compared closely; ``places``: of its micrographs in the order of exposure."""
        if self.screening is not None:
            return not self.is_screened
        return len(window_pairs(places, params)) == len(self.session) * (len(self.session) - 1) // 2


def plan_class(of_class: Class, params: MicrographParams, directory: Path | None, progress: Progress = SILENT) -> Planned:
    """Makes the views of a class, and decides how its pairs are screened; ``directory``: for the views, if memory is not to hold them."""
    progress.stage("loading", len(of_class.records))
    session = _core.Session.load(
        list(of_class.records),
        band=params.search_band,
        maps=of_class.seen_as,
        directory=directory,
        threads=params.threads,
        progress=progress.advance_to,
    )
    if params.search == "window":
        return Planned(session, None, None)
    progress.stage("choosing the screening")
    screener = _core.Screener.plan(session, params.sensitivity, params.max_shift_reduced_px, threads=params.threads)
    return Planned(session, screener.screening, screener)


@dataclass(frozen=True)
class Closely:
    """Pairs that were compared closely; ``at``: uint64 (n,), ascending, by which those of several blocks are put into one order."""

    at: NDArray[np.uint64]
    best: Best

    def arrays(self) -> list[NDArray[np.generic]]:
        """The columns, to be saved."""
        places, peaks = self.best.places, self.best.peaks
        return [self.at, places.pairs, places.shift_px, places.turn_deg, peaks.best, peaks.next, peaks.at_zero, peaks.overlap]

    @classmethod
    def of(cls, columns: Sequence[NDArray[np.generic]]) -> Closely:
        """From such columns."""
        at, pairs, shift_px, turn_deg, *peaks = (np.asarray(column) for column in columns)
        return cls(at, Best(Peaks(*peaks), Places(pairs, shift_px, turn_deg)))


@dataclass(frozen=True)
class Block:
    """Some of the pairs of a class: those that may be duplicates, pairs with mirrored micrographs, and random ones."""

    candidates: Closely
    mirrored: Closely
    random: Closely

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Arrays by name, to be saved."""
        return {f"{kind}.{name}": column for kind in _KINDS for name, column in zip(_COLUMNS, getattr(self, kind).arrays(), strict=True)}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Block:
        """From arrays that were saved."""
        return cls(*(Closely.of([arrays[f"{kind}.{name}"] for name in _COLUMNS]) for kind in _KINDS))


def joined(blocks: Sequence[Block]) -> Block:
    """All pairs, in the order that they have in one block."""

    def of_kind(kind: str) -> Closely:
        columns = [np.concatenate(parts) for parts in zip(*(getattr(block, kind).arrays() for block in blocks), strict=True)]
        order = np.argsort(columns[0], kind="stable")
        return Closely.of([column[order] for column in columns])

    return Block(*map(of_kind, _KINDS))


def compare_block(planned: Planned, places: Sequence[int], shard: Shard, params: MicrographParams, progress: Progress = SILENT) -> Block:
    """Compares the pairs of a shard; ``places``: of the class's micrographs in the order of exposure."""
    n = len(planned.session)
    every = n * (n - 1) // 2
    progress.stage("screening", every // shard[1])
    if planned.screener is None:
        every_pair = window_pairs(places, params)
        (at, pairs), (at_decoys, decoys) = (_numbered(some, shard) for some in (every_pair, sampled(every_pair)))
    else:
        turns_deg, threads = params.screened_turns_deg, params.threads
        found = planned.screener.screen(shard=shard, turns_deg=turns_deg, threads=threads, progress=progress.advance_to)
        pairs, decoys = found.pairs, found.decoys
        at, at_decoys = _keys(pairs), _keys(decoys)
    progress.stage("comparing closely", len(pairs))
    candidates = Closely(at, best_of(planned, pairs, params, mirrored=False, progress=progress))
    progress.stage("comparing with mirrored micrographs", len(decoys))
    mirrored = Closely(at_decoys, best_of(planned, decoys, params, mirrored=True, progress=progress))
    at_random = _at_random(0 if planned.are_all_compared(places, params) else n)
    key, pairs = _of_shard(_keys(at_random), at_random, shard)
    if len(pairs):
        progress.stage("comparing random pairs", len(pairs))
    return Block(candidates, mirrored, Closely(key, best_of(planned, pairs, params, mirrored=False, progress=progress)))


def _numbered(pairs: NDArray[np.uint32], shard: Shard) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    return _of_shard(np.arange(len(pairs), dtype=np.uint64), pairs, shard)


def _of_shard(at: NDArray[np.uint64], pairs: NDArray[np.uint32], shard: Shard) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    held = _core.in_shard(pairs[:, 0], shard)
    return at[held], np.ascontiguousarray(pairs[held])


def _keys(pairs: NDArray[np.uint32]) -> NDArray[np.uint64]:
    keys: NDArray[np.uint64] = pairs[:, 0].astype(np.uint64) << np.uint64(32) | pairs[:, 1].astype(np.uint64)
    return keys


def in_orientation(
    planned: Planned, places: Sequence[int], orientation: int, params: MicrographParams, progress: Progress = SILENT
) -> Best:
    """Compares the pairs of a class with the first micrograph of each stored in another orientation; ``places``: as for a block."""
    pairs = window_pairs(places, params)
    if planned.screener is not None:
        turns_deg, threads = params.screened_turns_deg, params.threads
        pairs = planned.screener.screen(shard=WHOLE, turns_deg=turns_deg, orientation=orientation, threads=threads).pairs
    progress.stage("comparing in other orientations", len(pairs))
    return best_of(planned, pairs, params, mirrored=False, orientation=orientation, progress=progress)


def best_of(
    planned: Planned, pairs: NDArray[np.uint32], params: MicrographParams, *, mirrored: bool, orientation: int = 0, progress: Progress
) -> Best:
    """Compares pairs at every rotation; at zero shift only without rotation."""
    found: Best | None = None
    for turn_deg in params.turns_deg:
        matches = planned.session.find(
            pairs,
            params.max_shift_reduced_px,
            mirrored=mirrored,
            screened=planned.is_screened,
            turn_deg=turn_deg,
            orientation=orientation,
            threads=params.threads,
            progress=progress.advance_to,
        )
        places = Places(pairs, matches.shift_px.astype(float), np.full(len(pairs), turn_deg))
        z, z_next, z_at_zero = (column.astype(float) for column in (matches.z, matches.z_next, matches.z_at_zero))
        here = Best(Peaks(z, z_next, z_at_zero, places.overlap(planned.session.size)), places)
        found = here if found is None else _better(found, here)
    assert found is not None
    return found


def _better(before: Best, now: Best) -> Best:
    """Of each pair the better of two; at zero shift the first."""
    better = now.peaks.best > before.peaks.best
    best, following, overlap = (
        np.where(better, getattr(now.peaks, name), getattr(before.peaks, name)) for name in ("best", "next", "overlap")
    )
    peaks = Peaks(best, following, before.peaks.at_zero, overlap)
    shift_px = np.where(better[:, None], now.places.shift_px, before.places.shift_px)
    return Best(peaks, Places(before.places.pairs, shift_px, np.where(better, now.places.turn_deg, before.places.turn_deg)))


def _at_random(n: int) -> NDArray[np.uint32]:
    """Pairs of ``n`` micrographs, the same ones every time."""
    if not n:
        return np.zeros((0, 2), np.uint32)
    pairs = np.sort(np.random.default_rng(1).integers(0, n, (COHORT, 2)), axis=1)
    return np.ascontiguousarray(np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0), np.uint32)
