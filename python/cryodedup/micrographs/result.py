"""The result of a job among micrographs: complete when it is made, and :mod:`~cryodedup.frozen`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cryodedup.frozen import FrozenResult
from cryodedup.micrographs.compare import Compared, Pair
from cryodedup.micrographs.decide import Withheld
from cryodedup.micrographs.exposures import Exposures
from cryodedup.micrographs.forecast import Forecast
from cryodedup.micrographs.gallery import Views
from cryodedup.micrographs.self_test_score import SelfTest
from cryodedup.micrographs.tilt import Tilts
from cryodedup.micrographs.versions import Version
from cryodedup.params import MicrographParams


@dataclass(frozen=True, kw_only=True)
class MicrographOutcome(FrozenResult):
    """Duplicates among micrographs; indices and arrays are in the order of the input.

    Attributes
    ----------
    pairs
        Two micrographs that share an area: :class:`Pair`. First the :attr:`duplicates`, whose second one is removed, then the
        :attr:`overlaps`, which share less than ``min_overlap``.
    groups
        Sets: a micrograph that stays and those that are removed for it, in the order of ``keep``.
    kept
        bool (n,): whether the micrograph stays.
    versions
        Further micrographs of an exposure: copies, ones that are not dose-weighted, halves. They are removed, and were not compared.
    withheld
        Why the kept and the removed micrographs are not written: more are removed than ``max_removed`` or ``max_set`` allow; else None.
    order
        Indices in the order of exposure; ``order_rule`` names the rule of that order.
    unreadable
        Index and reason for each micrograph that could not be used: unreadable, truncated or blank; they are kept.
    masked
        Index of each micrograph with NaN or infinite pixels that is used, and how many; they were replaced by the mean around them.
    flat
        Micrographs with hardly any signal; they are compared like the others.
    self_test
        What was found of planted second exposures: :class:`SelfTest`; None if it was not asked for.
    pixel_sizes_a, sizes
        For each micrograph the pixel size, Å, from the table or else from its header, and columns and rows; None if not known.
    forecast, peak_memory_gb
        The expected time and memory (None: the run was too short for a forecast), and the highest memory use of the process.
    thumbnails
        Small pictures, uint8 (ny, nx), rows from the top down, of the micrographs of the best and the most doubtful pairs, by index.
    views
        The same of what was compared, and the correlation around the shift of each pair: :class:`Views`.
    """

    params: MicrographParams
    exposures: Exposures
    order: Sequence[int]
    pairs: Sequence[Pair]
    groups: Sequence[Sequence[int]]
    kept: NDArray[np.bool_]
    compared: Sequence[Compared]
    tilts: Tilts
    warnings: Sequence[str]
    versions: Sequence[Version] = ()
    withheld: Withheld | None = None
    order_rule: str = ""
    unreadable: Mapping[int, str] = field(default_factory=dict)
    masked: Mapping[int, int] = field(default_factory=dict)
    flat: Sequence[int] = ()
    self_test: SelfTest | None = None
    pixel_sizes_a: Sequence[float | None] = ()
    sizes: Sequence[tuple[int, int] | None] = ()
    thumbnails: Mapping[int, NDArray[np.uint8]] = field(default_factory=dict)
    views: Views = field(default_factory=Views)
    times_s: Mapping[str, float] = field(default_factory=dict)
    forecast: Forecast | None = None
    peak_memory_gb: float = 0.0

    @property
    def names(self) -> Sequence[str]:
        return self.exposures.names

    @property
    def duplicates(self) -> list[Pair]:
        """Pairs whose second micrograph is removed, those of one set together; the first of each second is with the one that stays."""
        return [pair for pair in self.pairs if pair.set]

    @property
    def overlaps(self) -> list[Pair]:
        """Pairs that share less than ``min_overlap``."""
        return [pair for pair in self.pairs if not pair.set]

    @property
    def kept_overlaps(self) -> list[Pair]:
        """The overlaps of which both micrographs are kept: particles in the shared area are counted twice."""
        return [pair for pair in self.overlaps if self.kept[pair.first] and self.kept[pair.second]]

    @property
    def kinds(self) -> dict[str, int]:
        """How many versions there are of each kind."""
        return dict(sorted(Counter(one.kind for one in self.versions).items()))
