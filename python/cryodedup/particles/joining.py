"""Joins several inputs: their particles in one order, and one number for each micrograph."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup.errors import InputError, wrong_value
from cryodedup.params import ParticleParams
from cryodedup.particles.half_sets import check_repairable, settled
from cryodedup.particles.inputs.coincidence import coincidences
from cryodedup.particles.inputs.consistency import unrelated
from cryodedup.particles.inputs.identity import Matched, unify
from cryodedup.particles.inputs.micrograph_table import MicrographTable, read_micrographs
from cryodedup.particles.inputs.picks import Picks
from cryodedup.particles.inputs.pixel_sizes import Resolved, chosen_by_input, resolve
from cryodedup.particles.inputs.start_end import refuse_mixture
from cryodedup.particles.inputs.tomograms import number_note, with_names


@dataclass(frozen=True)
class Coverage:
    """``covered``: bool (inputs, micrographs), whether an input was searched for particles in a micrograph."""

    covered: NDArray[np.bool_]

    def counts(self) -> NDArray[np.int64]:
        """Number of inputs that cover each micrograph, int64 (micrographs,)."""
        return np.asarray(self.covered.sum(axis=0, dtype=np.int64))

    def needed(self, params: ParticleParams) -> NDArray[np.int64]:
        """Number of inputs that must have found a particle, for each micrograph, int64 (micrographs,)."""
        if params.votes_where == "all":
            return np.full(self.covered.shape[1], params.min_votes)
        return np.minimum(self.counts(), params.min_votes)

    def alike(self) -> NDArray[np.int64]:
        """A number for each micrograph, int64 (micrographs,), equal for those that the same inputs cover."""
        kinds: NDArray[np.int64] = np.unique(self.covered, axis=1, return_inverse=True)[1].reshape(-1)
        return kinds


def coverage_of(numbers: Sequence[Sequence[int]], count: int, rows: Sequence[Sequence[int | None]]) -> Coverage:
    """Coverage from the micrographs for which each input has picks, or an empty file of picks; all inputs cover those of ``--micrographs``.

    Parameters
    ----------
    numbers, rows
        For each input the numbers of its micrographs, and their rows in the table of ``--micrographs``, None if they have none.
    """
    covered = np.zeros((len(numbers), count), bool)
    for row, mine, in_table in zip(covered, numbers, rows, strict=True):
        row[list(mine)] = True
        covered[:, [number for number, at in zip(mine, in_table, strict=True) if at is not None]] = True
    return Coverage(covered)


UNSET_SHARE = 0.1
"""Particles at 0 are no picks at the corner if they are this share of all."""


@dataclass(frozen=True, kw_only=True)
class Joined:
    """The n particles of all inputs.

    Attributes
    ----------
    bounds
        int64 (inputs + 1,): index of the first particle of each input, and n.
    source_of, micrograph_of
        uint32 (n,): the input and the micrograph of each particle; micrographs are numbered over all inputs.
    shared_micrographs
        int64 (inputs, inputs): how many micrographs two inputs have in common.
    table, rows_of
        The table of ``--micrographs``, or None; and for each input the row of each of its micrographs in the table, None if it has none.
    sizes
        The pixel sizes of each input.
    """

    picks: Sequence[Picks]
    bounds: NDArray[np.int64]
    source_of: NDArray[np.uint32]
    micrograph_of: NDArray[np.uint32]
    matched: Matched
    shared_micrographs: NDArray[np.int64]
    coverage: Coverage
    table: MicrographTable | None
    rows_of: Sequence[Sequence[int | None]]
    sizes: Sequence[Resolved]
    warnings: list[str]

    def without_values(self) -> Joined:
        """The same without shifts, origins and coordinates as stored, which are not needed once centres and compared values are known.

        Saves 16 bytes a particle of a STAR file, and up to 40 of a dataset.
        """
        for pick in self.picks:
            pick.release()
        picks = [replace(pick, stored=(), added_shifts=()) for pick in self.picks]
        return replace(self, picks=picks)


def join(picks: Sequence[Picks], params: ParticleParams) -> Joined:
    """Matches the micrographs of all inputs.

    Raises
    ------
    InputError
        Inputs that do not fit together, or options that are not possible with them.
    """
    picks = settled([with_names(pick, params) for pick in picks])
    refuse_mixture([pick for pick in picks if len(pick)] if params.start_end else [])
    for pick in picks:
        _refuse_unset(pick)
    if params.half_sets == "repair":
        check_repairable(picks)
    if params.min_votes > len(picks):
        raise wrong_value("min_votes", params.min_votes, f"at most {len(picks)}, the number of inputs")
    table = read_micrographs(Path(params.micrographs)) if params.micrographs else None
    nothing: list[tuple[list[int | None], list[str]]] = [([None] * len(pick.micrographs), []) for pick in picks]
    found = nothing if table is None else [table.rows_of(pick, params.match) for pick in picks]
    rows_of = [rows for rows, _ in found]
    sizes = cache(lambda: _sizes(picks, table, rows_of, params))
    named = [(pick.label, pick.micrographs) for pick in picks]
    matched = unify(named, params.match, lambda pairs: coincidences(picks, sizes(), params.threads, pairs))
    micrograph_of = [_numbered(pick, numbers) for pick, numbers in zip(picks, matched.numbers, strict=True)]
    bounds = np.cumsum([0, *map(len, picks)])
    shared = _shared(matched.numbers)
    return Joined(
        picks=picks,
        bounds=bounds,
        source_of=_source_of(np.diff(bounds)),
        micrograph_of=micrograph_of[0] if len(picks) == 1 else np.concatenate(micrograph_of),
        matched=matched,
        shared_micrographs=shared,
        coverage=coverage_of(matched.numbers, matched.count, rows_of),
        table=table,
        rows_of=rows_of,
        sizes=sizes(),
        warnings=[
            *(warning for pick in picks for warning in pick.warnings),
            *(f"{pick.label}: {warning}" for pick, (_, some) in zip(picks, found, strict=True) for warning in some),
            *matched.warnings,
            *number_note(picks),
            *unrelated(picks, shared),
        ],
    )


def _sizes(
    picks: Sequence[Picks], table: MicrographTable | None, rows_of: Sequence[Sequence[int | None]], params: ParticleParams
) -> list[Resolved]:
    chosen = chosen_by_input([pick.label for pick in picks], params.pixel_size_a)
    needed = not params.undo_symmetry_expansion
    return [
        resolve(pick, table, rows, size, override=params.pixel_size_override, needed=needed)
        for pick, rows, size in zip(picks, rows_of, chosen, strict=True)
    ]


def _numbered(pick: Picks, numbers: Sequence[int]) -> NDArray[np.uint32]:
    """The number of each particle's micrograph; the input's own column if it has these numbers already."""
    same = np.array_equal(numbers, np.arange(len(numbers)))
    return pick.micrograph_of if same else np.asarray(numbers, np.uint32)[pick.micrograph_of]


def _shared(numbers: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """How many micrographs two inputs have in common, int64 (inputs, inputs); ``numbers``: for each input those of its micrographs.

    Micrographs that the same inputs have are counted at once: a thousand inputs are half a million pairs.
    """
    inputs_of: defaultdict[int, list[int]] = defaultdict(list)
    for source, mine in enumerate(numbers):
        for number in {*mine}:
            inputs_of[number].append(source)
    shared = np.zeros((len(numbers), len(numbers)), np.int64)
    for sources, count in Counter(map(tuple, inputs_of.values())).items():
        shared[np.ix_(sources, sources)] += count
    return shared


def _source_of(counts: NDArray[np.int64]) -> NDArray[np.uint32]:
    """The input of each particle; for a single input, a view of one number."""
    if len(counts) == 1:
        return np.broadcast_to(np.uint32(0), int(counts[0]))
    return np.repeat(np.arange(len(counts), dtype=np.uint32), counts)


def _refuse_unset(pick: Picks) -> None:
    """Refuses coordinates that were never set, and are written as 0: more than two in one micrograph, or a tenth of all."""
    if pick.centered or not len(pick):
        return
    unset = np.logical_and.reduce([column == 0 for column in pick.stored])
    n = int(unset.sum())
    if n > 2 and (n >= UNSET_SHARE * len(pick) or np.bincount(pick.micrograph_of[unset]).max() > 2):
        raise InputError(
            kind="missing",
            path=pick.label,
            found=(
                f"coordinates of {', '.join('0' for _ in pick.stored)} for {n:,} of {len(pick):,} particles, as if they had never been set"
            ),
            expected="coordinates for each",
            remedy="remove these rows, or give the file that contains their coordinates",
        )
