"""Warnings about inputs that seem not to fit together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.params import ParticleParams
from cryodedup.particles.inputs.picks import Floats, Picks
from cryodedup.particles.inputs.pixel_sizes import Resolved

MIRRORED_LEAST, MIRRORED_RATIO = 20, 3
"""So many meetings, and so many times more than without turning y over, are taken for a sign (on two real sets they are 1367 to 64)."""


def unrelated(picks: Sequence[Picks], shared: NDArray[np.int64]) -> list[str]:
    """Warnings for inputs that have no micrograph in common with any other: most likely their names do not tell."""
    warnings = []
    for i, pick in enumerate(picks):
        others = [j for j in range(len(picks)) if j != i and len(picks[j])]
        if len(pick) and others and not shared[i, others].any():
            names = f"{pick.micrographs[0].name} here, {picks[others[0]].micrographs[0].name} in {picks[others[0]].label}"
            uids = " with other uids" if pick.micrographs[0].uid and picks[others[0]].micrographs[0].uid else ""
            warnings.append(
                f"{pick.label}: no micrograph in common with another input, so none of its particles can meet theirs ({names}{uids})"
            )
    return warnings


def mirrored(
    picks: Sequence[Picks],
    sizes: Sequence[Resolved],
    coordinates_a: Floats,
    group_of: NDArray[np.uint32],
    source_of: NDArray[np.uint32],
    overlaps: NDArray[np.uint64],
    params: ParticleParams,
) -> list[str]:
    """A warning if CryoSPARC's inputs meet the others much more often when their y is counted from the other edge."""
    sparc = np.array([pick.heights_px is not None for pick in picks])
    if sparc.all() or not sparc.any():
        return []
    turned = coordinates_a.copy()
    for i, (pick, size) in enumerate(zip(picks, sizes, strict=True)):
        if pick.heights_px is not None:
            rows = source_of == i
            turned[rows, 1] = np.asarray(pick.heights_px) * size.sizes_a - coordinates_a[rows, 1]
    otherwise = _core.overlaps(turned, group_of, source_of, len(picks), params.min_separation_a, threads=params.threads)
    met, met_otherwise = (int(table[np.ix_(sparc, ~sparc)].sum()) for table in (overlaps, otherwise))
    if met_otherwise < MIRRORED_LEAST or met_otherwise < MIRRORED_RATIO * met:
        return []
    change = "without" if params.flip_y else "with"
    return [
        f"{met:,} particles of CryoSPARC's inputs have one of another input nearby, but {met_otherwise:,} would {change} --flip-y:"
        " y seems to be counted from different edges"
    ]
