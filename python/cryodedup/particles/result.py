"""What was found, and how it is written."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.directory import LISTING, names_of_outputs, staged, top_level, write_summary
from cryodedup.errors import InputError
from cryodedup.params import ParticleParams
from cryodedup.particles.analysis.advice import Advice, advise
from cryodedup.particles.analysis.consensus import Sets, combinations
from cryodedup.particles.analysis.coverage import Coverage
from cryodedup.particles.analysis.half_sets import FSC_THRESHOLD, HalfSets, audit, audit_equal, without_duplicates
from cryodedup.particles.analysis.separation import Suggestion
from cryodedup.particles.inputs.picks import Floats, Picks
from cryodedup.particles.inputs.reading import sources_of
from cryodedup.particles.outputs.listing import write_listing
from cryodedup.particles.outputs.output import Place, plan
from cryodedup.particles.outputs.star import unjoined
from cryodedup.particles.repair import write_repaired

SCHEMA = "cryodedup.particles/1"
MOST_COMBINATIONS = 1000
"""Of more combinations of inputs the summary tells the most frequent."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One input, and where its particles begin among all."""

    picks: Picks
    start: int
    pixel_sizes: list[dict[str, object]]
    sizes_a: Floats | float
    score: dict[str, object]

    @property
    def rows(self) -> slice:
        return slice(self.start, self.start + len(self.picks))


@dataclass(kw_only=True)
class ParticleResult:
    """Duplicates among particles; all arrays are in the order of the inputs, one after the other.

    Attributes
    ----------
    kept
        bool (n,): whether the particle stays.
    rejected
        int64 (m,), ascending: the particles that do not stay.
    duplicate_of
        int64 (m,): for each rejected one the particle it duplicates: the nearest of the better ones kept within the separation; with
        ``remove_entirely`` another one within it; itself if it is rejected because too few inputs found it (``min_votes``), which
        may also have befallen the one that it duplicates.
    distances_a
        float64 (m,): their distances in Å; NaN where it duplicates none.
    coordinates_a
        float64 (n, 2) or (n, 3): centres in Å of the micrograph, x first; in pixels if not ``in_angstrom``, as where no pixel size is known
        and none is needed.
    micrograph_of
        uint32 (n,): numbers of the micrographs, the same in all inputs.
    scores, priority
        float64 and uint32 (n,): what the choice went by, higher and lower being better; None: by input order.
    halves, repaired_halves
        uint8 (n,): the half-set of each particle, 1 or 2, 0 where it is in none; None if no input tells any. And with ``half_sets``
        ``repair`` the new ones.
    together
        int64 (n,): the best of all that each particle hangs together with by steps between duplicates; known for ``half_sets`` ``repair``,
        and where the separation is 0 and there are half-sets.
    coverage
        Which inputs cover which micrographs.
    suggestion
        The minimum separation that the particles themselves suggest, whatever was used.
    shared_micrographs
        int64 (inputs, inputs): how many micrographs two inputs have in common.
    overlaps
        uint64 (inputs, inputs): how many particles of the first input have one of the second within the separation, itself not
        counted; None for one input.
    """

    params: ParticleParams
    sources: Sequence[Source]
    kept: NDArray[np.bool_]
    rejected: NDArray[np.int64]
    duplicate_of: NDArray[np.int64]
    distances_a: Floats
    coordinates_a: Floats
    in_angstrom: bool
    micrograph_of: NDArray[np.uint32]
    n_micrographs: int
    shift_key: str
    scores: Floats | None
    priority: NDArray[np.uint32] | None
    halves: NDArray[np.uint8] | None
    repaired_halves: NDArray[np.uint8] | None
    together: NDArray[np.int64] | None
    coverage: Coverage
    suggestion: Suggestion
    shared_micrographs: NDArray[np.int64]
    overlaps: NDArray[np.uint64] | None
    repeated_uids: int
    warnings: list[str]
    notes: list[str]
    times_s: dict[str, float] = field(default_factory=dict)
    tables: Any = None
    outputs: list[str] = field(default_factory=list)
    written_to: list[str] = field(default_factory=list)

    @property
    def source_of(self) -> NDArray[np.uint32]:
        """The input of each particle, shape (n,)."""
        return np.repeat(np.arange(len(self.sources), dtype=np.uint32), [len(source.picks) for source in self.sources])

    @property
    def set_of(self) -> NDArray[np.int64]:
        """For each particle that which it duplicates, or itself, shape (n,)."""
        of = np.arange(len(self.kept))
        of[self.rejected] = self.duplicate_of
        return of

    @property
    def outvoted(self) -> int:
        """How many particles that are the best of their set were rejected because too few inputs found it (``min_votes``)."""
        return int((self.rejected == self.duplicate_of).sum())

    def advice(self) -> Advice | None:
        """What the distances suggest, and what each separation would keep; None for fewer than two particles, or an unknown pixel size."""
        if not self.in_angstrom:
            return None
        return advise(
            self.coordinates_a,
            self.micrograph_of,
            self.kept,
            self.suggestion,
            self.params.min_separation_a,
            scores=self.scores,
            priority=self.priority,
            threads=self.params.threads,
        )

    def half_sets(self) -> HalfSets | None:
        """What duplicates across the half-sets do to the FSC; None if no input has half-sets."""
        return self._half_sets_found

    def half_sets_written(self) -> HalfSets | None:
        """The same of what is written: of all with their new half-sets, measured anew; or of the kept ones, which have no duplicates."""
        return self._half_sets_written

    @cached_property
    def _half_sets_found(self) -> HalfSets | None:
        return None if self.halves is None else self._audit(self.halves)

    @cached_property
    def _half_sets_written(self) -> HalfSets | None:
        if self.repaired_halves is not None:
            return self._audit(self.repaired_halves)
        return None if self.halves is None else without_duplicates(self.halves[self.kept])

    def _audit(self, halves: NDArray[np.uint8]) -> HalfSets:
        if self.params.min_separation_a == 0:
            assert self.together is not None
            return audit_equal(halves, self.together)
        return audit(halves, self.coordinates_a, self.micrograph_of, self.params.min_separation_a, self.params.threads)

    def kept_of(self, source: int) -> NDArray[np.bool_]:
        """The mask of one input's particles, shape (its number,)."""
        return self.kept[self.sources[source].rows]

    def kept_table(self, source: int = 0) -> Any:
        """The kept rows of a table that was given, as the same kind of table: DataFrame, dict of DataFrames, Dataset or array."""
        from cryodedup.formats.star import has_coordinates

        if self.repaired_halves is not None:
            raise InputError("kept_table: half_sets repair removes nothing; put repaired_halves into your table")
        if self.tables is None or (isinstance(self.tables, list) and not self.tables):
            raise InputError("kept_table: found particles from files, expected tables; use write(directory)")
        table = self.tables[source] if isinstance(self.tables, list | tuple) else self.tables
        mask = self.kept_of(source)
        if isinstance(table, dict):
            return {
                name: frame[mask] if name != "optics" and has_coordinates(getattr(frame, "columns", ())) else frame
                for name, frame in table.items()
            }
        return table.mask(mask) if callable(getattr(table, "fields", None)) else table[mask]

    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` holds; ``schema`` names its version."""
        sources = []
        for i, source in enumerate(self.sources):
            n = len(source.picks)
            kept = n if self.repaired_halves is not None else int(self.kept_of(i).sum())
            sources.append(
                {
                    "input": source.picks.label,
                    "format": source.picks.format,
                    "particles": n,
                    "kept": kept,
                    "rejected": n - kept,
                    "written_to": self.written_to[i] if self.written_to else None,
                    "micrographs": len(source.picks.micrographs),
                    "pixel_sizes": source.pixel_sizes,
                    "score": source.score,
                }
            )
        overlaps = None
        if self.overlaps is not None:
            overlaps = {
                "inputs": [source.picks.label for source in self.sources],
                "shared_micrographs": self.shared_micrographs.tolist(),
                "particles_with_a_neighbour": self.overlaps.tolist(),
            }
        parameters = {
            key: str(value) if isinstance(value, Path) else value for key, value in asdict(self.params).items() if key != "unused"
        }
        return {
            "schema": SCHEMA,
            "cryodedup": _core.__version__,
            "parameters": parameters,
            "dimensions": self.coordinates_a.shape[1],
            "shift_key": self.shift_key,
            "particles": len(self.kept),
            "kept": len(self.kept) if self.repaired_halves is not None else int(self.kept.sum()),
            "rejected": 0 if self.repaired_halves is not None else len(self.rejected),
            "duplicates": len(self.rejected) - self.outvoted,
            "outvoted": self.outvoted,
            "suggestion": self.suggestion.summary(),
            "half_sets": self._half_sets(),
            "found_by": self._found_by(),
            "repeated_uids": self.repeated_uids,
            "micrographs": self.n_micrographs,
            "sources": sources,
            "overlaps": overlaps,
            "outputs": self.outputs,
            "warnings": self.warnings,
            "notes": self.notes,
            "times_s": {stage: round(seconds, 3) for stage, seconds in self.times_s.items()},
        }

    def _half_sets(self) -> dict[str, Any] | None:
        before, after = self.half_sets(), self.half_sets_written()
        if before is None or after is None:
            return None
        told = [
            {
                "particles": list(found.sizes),
                "pairs_across": found.pairs_across,
                "particles_concerned": found.concerned,
                "f": _finite(found.f),
                "f_over_1_plus_f": round(found.f_over_1_plus_f, 6),
                "noise_fsc": round(found.noise_fsc, 6),
            }
            for found in (before, after)
        ]
        moved = None if self.repaired_halves is None else int((self.repaired_halves != self.halves).sum())
        return {"verdict": before.grade, "threshold": FSC_THRESHOLD, **told[0], "written": told[1], "moved": moved}

    def found_by(self) -> Sets | None:
        """How many sets of duplicates (a single particle is one, too) were found by exactly which inputs; None for one input."""
        return self._sets

    @cached_property
    def _sets(self) -> Sets | None:
        if self.overlaps is None or self.params.remove_entirely:
            return None
        return combinations(self.set_of, self.source_of, len(self.sources))

    def _found_by(self) -> list[dict[str, Any]] | None:
        sets = self.found_by()
        if sets is None:
            return None
        told = [{"inputs": list(sources), "sets": count} for sources, count in list(sets.items())[:MOST_COMBINATIONS]]
        others = list(sets.values())[MOST_COMBINATIONS:]
        return [*told, {"inputs": "others", "sets": sum(others)}] if others else told

    def write(
        self,
        directory: Path | str,
        *,
        overwrite: bool = False,
        report: bool = True,
        command: str | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> list[Path]:
        """Writes the kept and the rejected particles, ``duplicates.csv``, ``summary.json`` and the page into a directory, all or nothing.

        With ``half_sets`` ``repair`` all particles with their new half-sets instead. ``report``: whether ``report.html`` and its figures
        are made; ``command``: the command line, for the page.

        Raises
        ------
        InputError
            Files of these names are there and ``overwrite`` is not given, or one of them is an input.
        """
        started = time.perf_counter()
        directory = Path(directory)
        outputs = [source.picks.output for source in self.sources]
        planned = plan(outputs)
        inputs = sources_of([source.picks for source in self.sources], self.params)
        with staged(directory, overwrite, inputs, SCHEMA) as staging:
            place = Place(staging, directory)
            self.notes = [*self.notes, *unjoined(outputs, planned)]
            self.written_to = [""] * len(self.sources)
            word = "kept" if self.repaired_halves is None else "repaired"
            for stem, members in planned:
                for member in members:
                    self.written_to[member] = f"{stem}_{word}{self.sources[member].picks.output.suffix}"
                if self.repaired_halves is not None:
                    halves = [self.repaired_halves[self.sources[i].rows] for i in members]
                    self.notes += write_repaired(staging, directory, stem, [self.sources[i].picks for i in members], halves, progress)
                    continue
                first, *others = [(self.sources[i].picks.output, self.kept_of(i)) for i in members]
                self.notes += first[0].write(place, stem, first[1], others, progress)
                if others:
                    joined = ", ".join(self.sources[i].picks.label for i in members)
                    self.notes.append(f"{joined}: of equal columns, written together as {stem}_kept{first[0].suffix}")
            write_listing(
                staging / LISTING,
                [source.picks for source in self.sources],
                self.rejected,
                None if self.params.remove_entirely else self.duplicate_of,
                self.distances_a if self.in_angstrom else np.full(len(self.rejected), np.nan),
                self.coordinates_a if self.in_angstrom else np.full_like(self.coordinates_a, np.nan),
                threads=self.params.threads,
            )
            if report:
                from cryodedup.report.page import write_page
                from cryodedup.report.particle_page import particle_page

                drawing = time.perf_counter()
                self.warnings += write_page(lambda: particle_page(self, command=command), staging)
                self.times_s["report"] = time.perf_counter() - drawing
            self.outputs = names_of_outputs(staging)
            self.times_s["writing"] = time.perf_counter() - started
            write_summary(staging, self.summary())
        return [directory / name for name in top_level(self.outputs)]


def _finite(value: float) -> float | None:
    return round(value, 6) if np.isfinite(value) else None
