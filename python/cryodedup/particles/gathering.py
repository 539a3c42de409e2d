"""What several inputs are together: their particles in one order and one frame, in micrographs that have one number each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup.errors import InputError
from cryodedup.params import ParticleParams
from cryodedup.particles.analysis.coverage import Coverage, coverage_of
from cryodedup.particles.analysis.half_sets import check_repairable
from cryodedup.particles.centres import Centres, place
from cryodedup.particles.inputs.consistency import filament_warnings, mirrored, unrelated
from cryodedup.particles.inputs.identity import Matched, unify
from cryodedup.particles.inputs.micrograph_table import MicrographTable, read_micrographs
from cryodedup.particles.inputs.picks import Picks
from cryodedup.particles.inputs.tomograms import number_note, with_names
from cryodedup.words import count

SAME_PLACE_A = 0.01
NOT_SET = np.uint64(2**64 - 1)
"""A uid that no particle has, in the place of 0."""
NUMBERED = ("Dynamo table", "STOPGAP motive list")


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """The particles of all inputs, n together.

    Attributes
    ----------
    bounds
        int64 (inputs + 1,): where the particles of each input begin and end.
    source_of, micrograph_of
        uint32 (n,): the input and the micrograph of each particle.
    shared_micrographs
        int64 (inputs, inputs): how many micrographs two inputs have in common.
    """

    picks: Sequence[Picks]
    bounds: NDArray[np.int64]
    source_of: NDArray[np.uint32]
    micrograph_of: NDArray[np.uint32]
    matched: Matched
    shared_micrographs: NDArray[np.int64]
    coverage: Coverage
    centres: Centres
    warnings: list[str]


def gather(picks: Sequence[Picks], params: ParticleParams) -> Gathered:
    """Matches micrographs, and places the particles.

    Raises
    ------
    InputError
        What does not fit together, or can not be done with these inputs.
    """
    picks = [with_names(pick, params) for pick in picks]
    for pick in picks:
        _refuse_unset(pick)
    if params.half_sets == "repair":
        check_repairable(picks)
    if params.min_votes > len(picks):
        raise InputError(f"min_votes: found {params.min_votes}, expected at most {len(picks)}, the number of inputs")
    matched = unify([(pick.label, pick.micrographs) for pick in picks], params.match)
    table = read_micrographs(Path(params.micrographs)) if params.micrographs else None
    rows_of = [[None] * len(pick.micrographs) if table is None else table.rows_of(pick, params.match) for pick in picks]
    centres = place(picks, table, rows_of, params)
    bounds = np.cumsum([0, *map(len, picks)])
    source_of = np.repeat(np.arange(len(picks), dtype=np.uint32), np.diff(bounds))
    micrograph_of = [np.asarray(number, np.uint32)[pick.micrograph_of] for number, pick in zip(matched.numbers, picks, strict=True)]
    _refuse_two_alignments(picks, centres, bounds)
    shared = np.array([[len({*first} & {*second}) for second in matched.numbers] for first in matched.numbers])
    of_all = micrograph_of[0] if len(picks) == 1 else np.concatenate(micrograph_of)
    return Gathered(
        picks=picks,
        bounds=bounds,
        source_of=source_of,
        micrograph_of=of_all,
        matched=matched,
        shared_micrographs=shared,
        coverage=coverage_of(matched.numbers, matched.count, rows_of),
        centres=centres,
        warnings=[
            *(warning for pick in picks for warning in pick.warnings),
            *matched.warnings,
            *number_note(picks),
            *unrelated(picks, shared),
            *centres.warnings,
            *params.unused,
            *_expanded(picks, params),
            *_unused_tables(picks, table, rows_of, params),
            *_deletes_agreement(picks, params),
            *_of_places(picks, centres, of_all, source_of, params),
        ],
    )


def _refuse_unset(pick: Picks) -> None:
    """Coordinates that were never set: all are 0, though micrographs have several."""
    if len(pick) and not pick.centered and np.bincount(pick.micrograph_of).max() > 2 and not any(column.any() for column in pick.stored):
        raise InputError(f"{pick.label}: found coordinates that are all 0, as if they had never been set; expected places")


def _refuse_two_alignments(picks: Sequence[Picks], centres: Centres, bounds: NDArray[np.int64]) -> None:
    """Particles of one uid that two inputs align differently: which alignment is meant is the user's to say."""
    if centres.shift_key == "none":
        return
    aligned = [(i, pick.uids) for i, pick in enumerate(picks) if pick.uids is not None and pick.shift_keys]
    for k, (i, uids) in enumerate(aligned):
        for j, others in aligned[:k]:
            _, mine, theirs = np.intersect1d(np.where(uids, uids, NOT_SET), others, return_indices=True)
            moved = centres.coordinates_a[bounds[i] + mine] - centres.coordinates_a[bounds[j] + theirs]
            differ = np.abs(moved).max(axis=1, initial=0.0) > SAME_PLACE_A
            if differ.any():
                raise InputError(
                    f"{picks[i].label}: found {count(int(differ.sum()), 'particle')} (by uid) aligned otherwise in {picks[j].label},"
                    " expected"
                    " one alignment of each particle: name one of the two, or use --shift-key none"
                )


def _expanded(picks: Sequence[Picks], params: ParticleParams) -> list[str]:
    """Copies that a symmetry expansion made, where these are not what is asked for."""
    expanded = [pick.label for pick in picks if pick.expanded_from is not None]
    if params.undo_symmetry_expansion or not expanded:
        return []
    return [
        f"{', '.join(expanded)}: particles of a symmetry expansion (sym_expand/src_uid): copies of one particle lie at one place and"
        " are rejected"
        " as duplicates; use --undo-symmetry-expansion to keep one copy of each, or deduplicate before the expansion"
    ]


def _unused_tables(
    picks: Sequence[Picks], table: MicrographTable | None, rows_of: Sequence[Sequence[int | None]], params: ParticleParams
) -> list[str]:
    """Options that no input has a use for."""
    warnings = []
    for pick, rows in zip(picks, rows_of, strict=True):
        if table is not None and rows and pick.counted_in != "micrograph" and not any(row is not None for row in rows):
            warnings.append(
                f"{pick.label}: {table.path} names none of its tomograms, as {pick.micrographs[0].name}: it is not used for them"
            )
    if params.tomograms is not None and not any(pick.format in NUMBERED for pick in picks):
        warnings.append("--tomograms not used: no input numbers its tomograms")
    if params.flip_y and all(pick.heights_px is None for pick in picks):
        warnings.append("--flip-y not used: it is for CryoSPARC's inputs, and there are none")
    return warnings


def _deletes_agreement(picks: Sequence[Picks], params: ParticleParams) -> list[str]:
    if not params.remove_entirely or len(picks) < 2:
        return []
    return [
        f"--remove-entirely with {len(picks)} inputs: particles that two of them found are rejected in both, so that what they agree on is"
        " lost; leave the option out to keep one of each"
    ]


def _of_places(
    picks: Sequence[Picks], centres: Centres, micrograph_of: NDArray[np.uint32], source_of: NDArray[np.uint32], params: ParticleParams
) -> list[str]:
    """Where distances say that something is wrong."""
    if not centres.in_angstrom:
        return []
    flipped = mirrored(picks, centres.sizes, centres.coordinates_a, micrograph_of, source_of, params)
    return [*flipped, *filament_warnings(picks, centres.coordinates_a, params)]
