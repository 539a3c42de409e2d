"""What a user has to know of a result before micrographs are removed: each warning says what was seen, what it means, what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from cryodedup.micrographs.compare import Compared, Pair
from cryodedup.micrographs.decide import Decision
from cryodedup.micrographs.exposures import Exposures
from cryodedup.params import MicrographParams

_MANY = 6
"""Sets of more micrographs are warned about."""
_FEW_STILL = 8
_STILL_REDUCED_PX = 1
"""Pairs at a shift of at most so many reduced pixels are warned about where they are more than a few, and a fifth of all."""
_PERIODIC = 0.02
"""A larger share of pairs that match at several shifts is warned about."""
_SMOOTH = 0.005
"""Where the finest detail has a smaller share of the power of coarse detail, the noise was smoothed away."""
_SMALL = 300 * 200
"""Reduced micrographs of fewer pixels are warned about."""
_FIXED_PATTERN_Z = 4.0
"""A larger median z at zero shift is reported."""
_RECALL = 0.99
"""A smaller predicted recall of the screening is warned about."""


def warnings_of(
    exposures: Exposures, params: MicrographParams, compared: Sequence[Compared], decision: Decision, unreadable: Mapping[int, str]
) -> list[str]:
    """All of them, in the order in which they are shown."""
    several = (
        *(text for found in compared for text in _of_class(found)),
        *_of_window(compared),
        *_of_large_sets(decision),
        *_of_unknown_ctf(exposures, params),
        *_of_still_pairs(decision.pairs, params),
        *_of_two_bases(exposures),
        *_of_contradicted(decision.pairs),
        *_of_unreadable(exposures, unreadable),
    )
    return list(several)


def _of_class(found: Compared) -> Iterator[str]:
    if found.size[0] * found.size[1] < _SMALL:
        yield (
            f"{len(found.members):,} micrographs reduced to {found.size[0]} x {found.size[1]} pixels: so few tell little, and some"
            " pairs may be false; a smaller --bin keeps more"
        )
    if found.coarse_noise < _SMOOTH:
        yield (
            f"{len(found.members):,} micrographs have hardly any noise in their finest detail, as if low-pass filtered or denoised:"
            " duplicates may be missed; expected motion-corrected micrographs as they are"
        )
    if (at_zero := found.screening.get("median_z_at_zero_shift", 0.0)) > _FIXED_PATTERN_Z:
        yield (
            f"{len(found.members)} micrographs, too few to take the camera's fixed pattern out, correlate at zero shift (median z"
            f" {at_zero:.1f}): that is taken to be the pattern"
        )
    if found.null.periodic > _PERIODIC:
        yield (
            f"{100 * found.null.periodic:.0f} % of unrelated pairs match at several shifts, as lattices do: pairs then need a higher z,"
            " and faint duplicates may be missed"
        )
    recalls = found.screening.get("predicted_recall_at_overlap_0.3", {})
    if recalls and recalls.get(str(found.screening["group_size"]), 1.0) < _RECALL:
        size = found.screening["group_size"]
        why = f"groups of {size}" if size > 1 else "dim micrographs"
        yield f"{why}: screening is predicted to find {100 * recalls[str(size)]:.0f} % of those that overlap by 0.3"


def _of_window(compared: Sequence[Compared]) -> Iterator[str]:
    if compared and not any(found.tested for found in compared):
        yield "the window holds no pair: --images-per-move is above --scan-range, or there are too few micrographs"


def _of_large_sets(decision: Decision) -> Iterator[str]:
    largest = max(map(len, decision.sets), default=0)
    if largest > _MANY:
        yield (
            f"one set holds {largest} micrographs, but hardly is a hole imaged so often: do many show something else in one place, as the"
            " edge of the beam? Look at a few before they are removed"
        )


def _of_unknown_ctf(exposures: Exposures, params: MicrographParams) -> Iterator[str]:
    if params.keep != "best-ctf" or exposures.ctf_a is None:
        return
    unknown = int((~np.isfinite(exposures.ctf_a) | (exposures.ctf_a <= 0)).sum())
    if unknown:
        yield f"{unknown:,} of {len(exposures):,} micrographs have no fitted CTF resolution: within a set the others stay"


def _of_still_pairs(pairs: Sequence[Pair], params: MicrographParams) -> Iterator[str]:
    still = sum(max(map(abs, pair.shift_px)) <= _STILL_REDUCED_PX * params.bin for pair in pairs)
    if still > max(_FEW_STILL, len(pairs) / 5):
        yield (
            f"{still:,} of {len(pairs):,} pairs lie on each other without a shift: are there copies of one exposure, or is it the"
            " pattern of a gain reference that few micrographs share? Look at a few before they are removed"
        )


def _of_two_bases(exposures: Exposures) -> Iterator[str]:
    if exposures.also is not None:
        yield f"names are looked up from {os.path.realpath(exposures.base)}, but all are found from {exposures.also}, too"


def _of_contradicted(pairs: Sequence[Pair]) -> Iterator[str]:
    contradicted = sum(pair.shot_agreement == "contradicted" for pair in pairs)
    if contradicted:
        yield (
            f"the other shots of the same holes contradict {contradicted:,} of {len(pairs):,} pairs, which count nevertheless:"
            " look at them (column pattern)"
        )


def _of_unreadable(exposures: Exposures, unreadable: Mapping[int, str]) -> Iterator[str]:
    if unreadable:
        first = next(iter(unreadable))
        yield (
            f"{len(unreadable):,} of {len(exposures):,} micrographs could not be used, and stay: {exposures.names[first]}:"
            f" {unreadable[first]}" + (" (and others, see summary.json)" if len(unreadable) > 1 else "")
        )
