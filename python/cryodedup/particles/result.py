"""The result of a job among particles: complete when it is made, and frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup.errors import InputError
from cryodedup.formats.output import HasTable
from cryodedup.frozen import FrozenResult
from cryodedup.params import ParticleParams
from cryodedup.particles.analysis.advice import Advice, advise
from cryodedup.particles.analysis.analyse import Analysis
from cryodedup.particles.analysis.half_set_verdict import HalfSetAudit
from cryodedup.particles.centres import Centres
from cryodedup.particles.criterion import Criterion
from cryodedup.particles.inputs.picks import Floats, Picks
from cryodedup.particles.joining import Joined
from cryodedup.particles.select import Selection


@dataclass(frozen=True, kw_only=True)
class Source:
    """One input, the index of its first particle, their pixel sizes (Å), and the description of its scores."""

    picks: Picks
    start: int
    pixel_sizes: Sequence[Mapping[str, object]]
    sizes_a: Floats | float
    score: Mapping[str, object]

    @property
    def rows(self) -> slice:
        return slice(self.start, self.start + len(self.picks))


@dataclass(frozen=True, kw_only=True)
class ParticleOutcome(FrozenResult):
    """Duplicates among n particles, m of which are rejected; all arrays are in the order of the inputs, one after the other.

    Attributes
    ----------
    joined, centres, selection, analysis
        What each stage of the job returned: the inputs together, where particles are, what stays, what that means.
    warnings, notes
        What the user has to know, and may want to know; one line each.
    times_s
        Seconds of each stage.
    """

    params: ParticleParams
    criterion: Criterion
    joined: Joined
    centres: Centres
    selection: Selection
    analysis: Analysis
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    times_s: Mapping[str, float]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Whether the particle is kept, bool (n,)."""
        return self.selection.kept

    @property
    def rejected(self) -> NDArray[np.int64]:
        """The rejected particles, int64 (m,), ascending."""
        return self.selection.rejected

    @property
    def duplicate_of(self) -> NDArray[np.int64]:
        """For each rejected particle the one it duplicates, int64 (m,): see :class:`Selection`."""
        return self.selection.duplicate_of

    @property
    def distances_a(self) -> Floats:
        """The distances of rejected particles to those, Å, float64 (m,); NaN where a particle duplicates none."""
        return self.selection.distances_a

    @property
    def coordinates_a(self) -> Floats:
        """Centres in Å of the micrograph, x first, float64 (n, 2) or (n, 3); in pixels where no pixel size is known, and none needed."""
        return self.centres.coordinates_a

    @property
    def micrograph_of(self) -> NDArray[np.uint32]:
        """Numbers of the micrographs, the same in all inputs, uint32 (n,)."""
        return self.joined.micrograph_of

    @property
    def n_micrographs(self) -> int:
        """How many micrographs all inputs have."""
        return self.joined.matched.count

    @property
    def frame_word(self) -> str:
        """Returns what particles lie in: a micrograph, or a tomogram if they have a z coordinate."""
        return "tomogram" if self.coordinates_a.shape[1] == 3 else "micrograph"

    @property
    def repaired_halves(self) -> NDArray[np.uint8] | None:
        """With ``half_sets`` ``repair`` the new half-set of each particle, uint8 (n,), 1 or 2; else None."""
        return self.analysis.repaired_halves

    @property
    def half_sets(self) -> HalfSetAudit | None:
        """The effect on the FSC of duplicates across the half-sets, as found and as written; None if no input has half-sets."""
        return self.analysis.half_sets

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """The inputs."""
        rows = zip(self.joined.picks, self.joined.bounds.tolist(), self.centres.sizes, self.selection.scores_used, strict=False)
        return tuple(
            Source(picks=picks, start=start, pixel_sizes=size.found, sizes_a=size.sizes_a, score=score)
            for picks, start, size, score in rows
        )

    def kept_of(self, source: int) -> NDArray[np.bool_]:
        """The mask of one input's particles, shape (its number,)."""
        return self.kept[self.sources[source].rows]

    def advice(self) -> Advice | None:
        """Returns what the distances suggest, and what each separation would keep; None where no distances of particles are known.

        That is: for fewer than two particles, for filaments given by their ends, and for unknown pixel sizes.
        """
        if not self.centres.in_angstrom or self.centres.half_vectors_a is not None:
            return None
        of, ranking = self.selection.compared_with, self.selection.ranking
        return advise(
            self.coordinates_a[of],
            self.micrograph_of[of],
            self.kept[of],
            self.analysis.suggestion,
            self.params.used_separation_a,
            scores=None if ranking.scores is None else ranking.scores[of],
            priority=None if ranking.priority is None else ranking.priority[of],
            threads=self.params.threads,
        )

    def kept_table(self, source: int = 0) -> Any:
        """The kept rows of an input as a table.

        Of a table that was given the same kind of table: DataFrame, dict of DataFrames, Dataset or array. Of a STAR file what
        ``starfile.read`` returns: a DataFrame, or a dict of its blocks if it has several; names are text, also those of digits alone. Of a
        CryoSPARC dataset a structured array (a ``Dataset`` of one in CSDAT form), with the fields of its passthrough file.

        Raises
        ------
        InputError
            ``half_sets`` ``repair`` removes nothing; a file of another format, or one that was changed since it was read.
        """
        if self.repaired_halves is not None:
            raise InputError(
                kind="conflict",
                field="kept_table",
                found="half_sets repair, which removes nothing",
                remedy="put repaired_halves into your table",
            )
        if not 0 <= source < len(self.sources):
            raise InputError(kind="parameter", field="kept_table", found=f"input {source}", expected=f"0 to {len(self.sources) - 1}")
        picks = self.sources[source].picks
        if not isinstance(picks.output, HasTable):
            raise InputError(
                kind="unsupported",
                path=picks.label,
                field="kept_table",
                found=picks.format,
                expected="a STAR file, a dataset or a table",
                remedy="use write(directory)",
            )
        return picks.output.taken(self.kept_of(source))
