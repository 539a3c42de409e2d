"""What was found, and how it is written."""

from __future__ import annotations

import csv
import os
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.directory import LISTING, names_of_outputs, printable, staged, top_level, write_summary
from cryodedup.micrographs.comparing import Compared, Pair
from cryodedup.micrographs.exposures import Exposures
from cryodedup.micrographs.forecast import Forecast
from cryodedup.micrographs.window import window_distances
from cryodedup.params import MicrographParams
from cryodedup.particles.outputs import Place

SCHEMA = "cryodedup.micrographs/1"
OUTPUTS = re.compile(r"micrographs_(kept|removed)(_passthrough\d*)?\.\w+|duplicates\.csv|ccc\.csv|summary\.json")
COLUMNS = ["Original", "Duplicate", "set", "ccc", "ncc", "overlap", "z", "q", "shift_x_px", "shift_y_px", "hole", "shot", "pattern"]


@dataclass(kw_only=True)
class MicrographResult:
    """Duplicates among micrographs; indices and arrays are in the order of the input.

    Attributes
    ----------
    pairs
        Two micrographs that show the same: :class:`Pair`; the first is the one that stays rather than the second.
    groups
        Sets of micrographs that show the same, connected by pairs.
    kept
        bool (n,): whether the micrograph stays.
    order
        Indices in the order of exposure; ``order_rule`` tells by what.
    unreadable
        Index and reason for each micrograph that could not be used: unreadable, truncated or blank; they stay.
    masked
        Index of each micrograph with NaN or infinite pixels that is used, and how many; they were replaced by the mean around them.
    flat
        Micrographs of hardly any signal; compared like the others.
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
    warnings: list[str]
    order_rule: str = ""
    unreadable: dict[int, str] = field(default_factory=dict)
    masked: dict[int, int] = field(default_factory=dict)
    flat: list[int] = field(default_factory=list)
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

    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` holds; ``schema`` names its version."""
        names = [printable(name) for name in self.names]
        return {
            "schema": SCHEMA,
            "cryodedup": _core.__version__,
            "parameters": asdict(self.params),
            "input": printable(self.exposures.label),
            "looked_up_from": printable(os.path.realpath(self.exposures.base)),
            "micrographs": len(self.kept),
            "compared": sum(len(found.members) for found in self.compared),
            "kept": int(self.kept.sum()),
            "removed": int((~self.kept).sum()),
            "pairs": len(self.pairs),
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
                    "null": {"start_z": round(found.null.start, 3), "scale_z": round(found.null.scale, 3), "rate": found.null.rate},
                }
                for found in self.compared
            ],
            "outputs": self.outputs,
            "warnings": [printable(text) for text in self.warnings],
            "forecast": self.forecast and self.forecast.summary(),
            "peak_memory_gb": round(self.peak_memory_gb, 2),
            "times_s": {stage: round(seconds, 3) for stage, seconds in self.times_s.items()},
        }

    def write(self, directory: Path | str, *, overwrite: bool = False, report: bool = True) -> list[Path]:
        """Writes ``duplicates.csv``, the kept and the removed micrographs, ``summary.json`` and the page into a directory, all or nothing.

        ``report``: whether ``report.html`` and its figures are made.

        Raises
        ------
        InputError
            Files of these names are there and ``overwrite`` is not given, or one of them is an input.
        """
        started = time.perf_counter()
        directory = Path(directory)
        inputs = {Path(os.path.realpath(path)) for path in (*self.exposures.paths, *self.exposures.output.files)}
        with staged(directory, overwrite, inputs, SCHEMA) as staging:
            place = Place(staging, directory, ("kept", "removed"))
            self.exposures.output.write(place, "micrographs", self.kept, [], None)
            self._write_listing(staging / LISTING)
            removed = "".join(f"{name}\n" for name, kept in zip(self.names, self.kept, strict=True) if not kept)
            (staging / "micrographs_removed.txt").write_text(removed, "utf-8", "surrogateescape")
            if self.params.search == "window":
                self._write_ccc(staging / "ccc.csv")
            if report:
                from cryodedup.report import add_page
                from cryodedup.report.micrographs import write_page

                add_page(write_page, self, staging)
            self.outputs = names_of_outputs(staging)
            self.times_s["writing"] = time.perf_counter() - started
            write_summary(staging, self.summary())
        return [directory / name for name in top_level(self.outputs)]

    def _write_listing(self, path: Path) -> None:
        with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for pair in self.pairs:
                first, second = self.exposures.acquisitions[pair.first], self.exposures.acquisitions[pair.second]
                holes = " ".join(dict.fromkeys(hole for hole in (first.hole, second.hole) if hole))
                shots = " ".join(dict.fromkeys(shot for shot in (first.shot, second.shot) if shot))
                numbers = [f"{pair.ccc:.4f}", f"{pair.ncc:.4f}", f"{pair.overlap:.4f}", f"{pair.z:.2f}", f"{pair.q:.2e}"]
                numbers += [f"{round(shift, 1) + 0.0:.1f}" for shift in pair.shift_px]
                writer.writerow([self.names[pair.first], self.names[pair.second], pair.set, *numbers, holes, shots, pair.pattern])

    def _write_ccc(self, path: Path) -> None:
        """One row a micrograph, in the order of exposure; a column for each distance of the window."""
        distances = window_distances(self.params, len(self.order))
        found: dict[int, dict[int, float]] = defaultdict(dict)
        for compared in self.compared:
            place = {i: k for k, i in enumerate(compared.members)}
            for i, j, ccc in compared.window_ccc:
                found[i][place[j] - place[i]] = ccc
        with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["Micrograph", *(f"+{d}" for d in distances)])
            for i in self.order:
                writer.writerow([self.names[i], *(f"{found[i][d]:.4f}" if d in found[i] else "" for d in distances)])
