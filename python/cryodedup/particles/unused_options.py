"""Warnings for options that do nothing with these inputs, or that do what is seldom wanted."""

from __future__ import annotations

from cryodedup.names import named
from cryodedup.params import ParticleParams
from cryodedup.particles.joining import Joined

NUMBERED = "Dynamo table", "STOPGAP motive list"


def option_warnings(joined: Joined, params: ParticleParams) -> list[str]:
    """In the order of their weight."""
    return [*_unused_tables(joined, params), *_deletes_agreement(joined, params)]


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
