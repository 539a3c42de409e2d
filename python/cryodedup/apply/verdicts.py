"""The verdict of an earlier run on a row: two bits, so that those of several files are joined by ``|``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

UNKNOWN, KEPT, REJECTED, BOTH = 0, 1, 2, 3
"""Not in the result; kept; rejected; the identity of kept and of rejected ones."""
Verdicts = NDArray[np.uint8]
NOTHING = np.iinfo(np.uint64).max
"""The number of a row that has no identity; no uid of CryoSPARC is that large."""


def of_mask(kept: NDArray[np.bool_]) -> Verdicts:
    """:data:`KEPT` or :data:`REJECTED`, uint8 (n,)."""
    return np.where(kept, KEPT, REJECTED).astype(np.uint8)


def look_up(known: NDArray[np.uint64], verdicts: Verdicts, asked: NDArray[np.uint64]) -> Verdicts:
    """The verdicts on equal identities.

    Parameters
    ----------
    known, verdicts
        (n,): identities that the result has, each any number of times, and its verdict on each.
    asked
        (m,): identities of rows; :data:`NOTHING` is in no result.

    Returns
    -------
    uint8 (m,): :data:`UNKNOWN` for those that are not among the known.

    Examples
    --------
    >>> known, verdicts = np.array([7, 8, 8], np.uint64), np.array([KEPT, KEPT, REJECTED], np.uint8)
    >>> look_up(known, verdicts, np.array([8, 7, 9], np.uint64))
    array([3, 1, 0], dtype=uint8)
    """
    found = np.zeros(len(asked), np.uint8)
    for verdict in (KEPT, REJECTED):
        of_these = np.unique(known[((verdicts & verdict) > 0) & (known != NOTHING)])
        found[np.isin(asked, of_these)] |= verdict
    found[asked == NOTHING] = UNKNOWN
    return found


def combine(first: Verdicts, second: Verdicts) -> Verdicts:
    """The verdicts by two identities of the same rows: the one that decides, where the other does not; :data:`BOTH` where they contradict.

    Examples
    --------
    >>> combine(np.array([KEPT, KEPT, BOTH, UNKNOWN], np.uint8), np.array([REJECTED, BOTH, REJECTED, KEPT], np.uint8))
    array([3, 1, 2, 1], dtype=uint8)
    """
    joined = first | second
    joined = np.where((first == BOTH) & (second != UNKNOWN), second, joined)
    return np.where((second == BOTH) & (first != UNKNOWN), first, joined)
