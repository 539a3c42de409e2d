"""What was found, and how it is written."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.directory import LISTING, names_of_outputs, printable, staged, top_level, write_summary
from cryodedup.micrographs.compare import Compared, Pair
from cryodedup.micrographs.decide import Withheld
from cryodedup.micrographs.exposures import Exposures
from cryodedup.micrographs.forecast import Forecast
from cryodedup.micrographs.listings import write_ccc, write_duplicates, write_overlaps, write_versions
from cryodedup.micrographs.self_test import SelfTest
from cryodedup.micrographs.tilt import Tilts
from cryodedup.micrographs.versions import Version
from cryodedup.params import MicrographParams
from cryodedup.particles.outputs.output import Place

OVERLAPS, VERSIONS = "overlaps.csv", "versions.csv"
SCHEMA = "cryodedup.micrographs/1"
CHOSEN = re.compile(r"micrographs_(kept|removed)(_passthrough\d*)?\.\w+")
"""What is withheld, where a limit is passed."""
OUTPUTS = re.compile(rf"{CHOSEN.pattern}|(duplicates|overlaps|versions|ccc)\.csv|summary\.json")


@dataclass(kw_only=True)
class MicrographResult:
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
        Micrographs of an exposure that another one shows, too: copies, not dose-weighted ones, halves. They are removed, and were not
        compared.
    withheld
        Why the kept and the removed micrographs are not written: more are removed than ``max_removed`` or ``max_set`` allow; else None.
    order
        Indices in the order of exposure; ``order_rule`` tells by what.
    unreadable
        Index and reason for each micrograph that could not be used: unreadable, truncated or blank; they stay.
    masked
        Index of each micrograph with NaN or infinite pixels that is used, and how many; they were replaced by the mean around them.
    flat
        Micrographs of hardly any signal; compared like the others.
    self_test
        What was found of planted second exposures: :class:`SelfTest`; None if it was not asked for.
    pixel_sizes_a, sizes
        Of each micrograph: Å, of the table or else of its header, and columns and rows; None where it could not be read.
    forecast, peak_memory_gb
        What the run was expected to take (None: too short to ask), and the most memory that the process had.
    thumbnails
        Small pictures, uint8 (ny, nx), rows from the top down, of the micrographs of the best and the most doubtful pairs, by index.
    """

    params: MicrographParams
    exposures: Exposures
    order: list[int]
    pairs: list[Pair]
    groups: list[list[int]]
    kept: NDArray[np.bool_]
    compared: list[Compared]
    tilts: Tilts
    warnings: list[str]
    versions: list[Version] = field(default_factory=list)
    withheld: Withheld | None = None
    order_rule: str = ""
    unreadable: dict[int, str] = field(default_factory=dict)
    masked: dict[int, int] = field(default_factory=dict)
    flat: list[int] = field(default_factory=list)
    self_test: SelfTest | None = None
    pixel_sizes_a: Sequence[float | None] = field(default_factory=list)
    sizes: Sequence[tuple[int, int] | None] = field(default_factory=list)
    thumbnails: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    times_s: dict[str, float] = field(default_factory=dict)
    forecast: Forecast | None = None
    peak_memory_gb: float = 0.0
    outputs: list[str] = field(default_factory=list)

    @property
    def names(self) -> Sequence[str]:
        return self.exposures.names

    @property
    def duplicates(self) -> list[Pair]:
        """Pairs whose second micrograph is removed, those of one set together; the first of each second is with the one that stays."""
        return [pair for pair in self.pairs if pair.set]

    @property
    def overlaps(self) -> list[Pair]:
        """Pairs that share less than is asked of duplicates."""
        return [pair for pair in self.pairs if not pair.set]

    @property
    def kept_overlaps(self) -> list[Pair]:
        """Those of which both stay: what lies in the shared area is counted twice."""
        return [pair for pair in self.overlaps if self.kept[pair.first] and self.kept[pair.second]]

    @property
    def kinds(self) -> dict[str, int]:
        """How many versions there are of each kind."""
        return dict(sorted(Counter(one.kind for one in self.versions).items()))

    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` holds; ``schema`` names its version."""
        names = [printable(name) for name in self.names]
        return {
            "schema": SCHEMA,
            "cryodedup": _core.__version__,
            "withheld": str(self.withheld) if self.withheld else None,
            "parameters": self.params.used(),
            "input": printable(self.exposures.label),
            "looked_up_from": printable(os.path.realpath(self.exposures.base)),
            "micrographs": len(self.kept),
            "compared": sum(len(found.members) for found in self.compared),
            "kept": int(self.kept.sum()),
            "removed": int((~self.kept).sum()),
            "versions": {"removed": len(self.versions), "kinds": self.kinds},
            "pairs": len(self.pairs),
            "overlaps": {
                "pairs": len(self.overlaps),
                "between_kept": len(self.kept_overlaps),
                "shared_frames_between_kept": round(sum(pair.overlap for pair in self.kept_overlaps), 3),
            },
            "sets": [[names[i] for i in group] for group in self.groups],
            "order": self.order_rule,
            "unreadable": [{"micrograph": names[i], "reason": printable(text)} for i, text in self.unreadable.items()],
            "masked": [{"micrograph": names[i], "pixels": count} for i, count in self.masked.items()],
            "flat": [names[i] for i in self.flat],
            "sizes": [
                {
                    "reduced": list(found.size),
                    "micrographs": len(found.members),
                    "screening": found.screening,
                    "null": found.null.summary(),
                }
                for found in self.compared
            ],
            "tilts": self.tilts.summary(),
            "self_test": self.self_test.summary() if self.self_test else None,
            "outputs": self.outputs,
            "warnings": [printable(text) for text in self.warnings],
            "forecast": self.forecast and self.forecast.summary(),
            "peak_memory_gb": round(self.peak_memory_gb, 2),
            "times_s": {stage: round(seconds, 3) for stage, seconds in self.times_s.items()},
        }

    def write(self, directory: Path | str, *, overwrite: bool = False, report: bool = True, command: str | None = None) -> list[Path]:
        """Writes the listings, the kept and the removed micrographs, ``summary.json`` and the page into a directory, all or nothing.

        If the result is :attr:`withheld`, the kept and the removed ones are not written, and those of an earlier run go.

        ``report``: whether ``report.html`` and its figures are made; ``command``: the command line, for the page.

        Raises
        ------
        InputError
            Files of these names are there and ``overwrite`` is not given, or one of them is an input.
        """
        started = time.perf_counter()
        directory = Path(directory)
        inputs = {Path(os.path.realpath(path)) for path in (*self.exposures.paths, *self.exposures.output.files)}
        with staged(directory, overwrite, inputs, SCHEMA, leaving=CHOSEN if self.withheld else None) as staging:
            if not self.withheld:
                self._write_chosen(staging, directory)
            write_duplicates(self.exposures, self.duplicates, staging / LISTING)
            write_overlaps(self.exposures, self.overlaps, self.kept, staging / OVERLAPS)
            write_versions(self.names, self.versions, self.duplicates, staging / VERSIONS)
            if self.params.search == "window":
                write_ccc(self.names, self.order, self.versions, self.compared, self.params, staging / "ccc.csv")
            if report:
                from cryodedup.report.micrograph_page import micrograph_page
                from cryodedup.report.page import write_page

                drawing = time.perf_counter()
                self.warnings += write_page(lambda: micrograph_page(self, command=command), staging)
                self.times_s["report"] = time.perf_counter() - drawing
            self.outputs = names_of_outputs(staging)
            self.times_s["writing"] = time.perf_counter() - started
            write_summary(staging, self.summary())
        return [directory / name for name in top_level(self.outputs)]

    def _write_chosen(self, staging: Path, directory: Path) -> None:
        self.exposures.output.write(Place(staging, directory, ("kept", "removed")), "micrographs", self.kept, [], None)
        removed = "".join(f"{name}\n" for name, kept in zip(self.names, self.kept, strict=True) if not kept)
        (staging / "micrographs_removed.txt").write_text(removed, "utf-8", "surrogateescape")
