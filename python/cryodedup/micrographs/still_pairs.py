"""Pairs that match at exactly zero shift: duplicates, or frames that share a pattern of the camera.

A few frames with another gain reference than the rest, or none, keep a pattern in common. It makes a match as significant as any, at zero
shift. So do exposures that follow each other without a move of the stage. The detail that they have in common tells which it is: see
``shared_pattern.rs``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.micrographs.places import Places

NEAR_PX, EXACT_PX = 2.0, 1.0
"""Of the pairs that match near zero along both axes, in reduced pixels, those that do so at zero: a smooth pattern has a broad peak."""


def of_one_pattern(session: _core.Session, places: Places, threads: int) -> NDArray[np.bool_]:
    """Which of the accepted pairs are due to a pattern, not to a scene; bool (n,)."""
    still: NDArray[np.bool_] = np.all(np.abs(places.shift_px) <= NEAR_PX, axis=1)
    if still.any():
        shift_px = session.find_near(places.of(still), threads=threads).shift_px
        still[still] = np.all(np.abs(shift_px) <= EXACT_PX, axis=1)
        still[still] = session.share_pattern(np.ascontiguousarray(places.pairs[still]), threads=threads)
    return still
