"""Warnings about a run: options that do nothing with its inputs, or what is seldom wanted, and copies of a symmetry expansion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryodedup.names import named
from cryodedup.params import ParticleParams
from cryodedup.particles.inputs.picks import Picks
from cryodedup.particles.joining import Joined
from cryodedup.particles.select import Selection

NUMBERED = "Dynamo table", "STOPGAP motive list"


def option_warnings(joined: Joined, params: ParticleParams) -> list[str]:
    """In the order of their weight."""
    return [*params.unused, *_unused_tables(joined, params), *_deletes_agreement(joined, params)]


def _unused_tables(joined: Joined, params: ParticleParams) -> list[str]:
    """Options that no input has a use for."""
    warnings = []
    for pick, rows in zip(joined.picks, joined.rows_of, strict=True):
        if joined.table is not None and rows and pick.counted_in != "micrograph" and not any(row is not None for row in rows):
            warnings.append(
                f"{pick.label}: {joined.table.path} names none of its tomograms, such as {pick.micrographs[0].name}: not used for them"
            )
    if params.tomograms is not None and not any(pick.format in NUMBERED for pick in joined.picks):
        warnings.append(f"{named('tomograms')} not used: no input numbers its tomograms")
    if params.flip_y and all(pick.heights_px is None for pick in joined.picks):
        warnings.append(f"{named('flip_y')} not used: it is for CryoSPARC's inputs, and there are none")
    if params.start_end and not any(pick.half_vectors for pick in joined.picks):
        warnings.append(f"{named('start_end')} not used: it is for RELION's coordinate files, of picks, and there are none")
    return warnings


def _deletes_agreement(joined: Joined, params: ParticleParams) -> list[str]:
    if not params.remove_entirely or len(joined.picks) < 2:
        return []
    return [
        f"{named('remove_entirely')} with {len(joined.picks)} inputs: particles that two of them found are rejected in both, so all"
        " particles on"
        " which inputs agree are lost; to keep one of each, leave the option out"
    ]


MAX_COMPARED = 1000
"""Pairs whose images are compared, spread over all."""


def expansion_warnings(joined: Joined, selection: Selection, params: ParticleParams) -> list[str]:
    """Warns if particles are rejected for another copy of themselves; copies that were shifted to subunits are not near each other."""
    if params.undo_symmetry_expansion:
        return []
    rejected, of, source_of = selection.rejected, selection.duplicate_of, joined.source_of
    paired = (rejected != of) & (source_of[rejected] == source_of[of])
    rejected, of = rejected[paired], of[paired]
    warnings = []
    for i, pick in enumerate(joined.picks):
        mine = source_of[rejected] == i
        start = int(joined.bounds[i])
        known_by, copies, of_about = _copies(pick, rejected[mine] - start, of[mine] - start)
        if copies:
            number = f"{of_about}{copies:,} of {int(mine.sum()):,}"
            warnings.append(
                f"{pick.label}: {number} rejected particles are copies of the particle that they duplicate (equal {known_by}), as after a"
                " symmetry expansion: the orientations of these copies are lost; deduplicate before the expansion, or use"
                f" {named('undo_symmetry_expansion')} to keep one copy of each"
            )
    return warnings


def _copies(pick: Picks, rejected: NDArray[np.int64], of: NDArray[np.int64]) -> tuple[str, int, str]:
    """Returns what copies have in common, how many of the rejected are such, and "about " if they are counted in a part of all."""
    if pick.expanded_from is not None:
        origins = pick.expanded_from
        return "sym_expand/src_uid", int(((origins[rejected] == origins[of]) & (origins[of] != 0)).sum()), ""
    if pick.images is None or not len(rejected):
        return "", 0, ""
    step = -(-len(rejected) // MAX_COMPARED)
    images, others = (pick.images(rows[::step].tolist()) for rows in (rejected, of))
    same = sum(image == other for image, other in zip(images, others, strict=True))
    return "rlnImageName", same if step == 1 else round(same / len(images) * len(rejected)), "" if step == 1 else "about "
