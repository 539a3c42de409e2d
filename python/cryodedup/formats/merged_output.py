"""Particles of any formats as one STAR table, and as RELION's index of coordinate files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup.errors import naming
from cryodedup.formats.output import Destination
from cryodedup.formats.pick_output import distinct_names
from cryodedup.formats.star import quoted

SOURCE, ROW = "cryodedupSource", "cryodedupRow"
UNSET_SCORE = -999.0
"""What RELION writes for a pick without a score."""
_BATCH = 1 << 16


@dataclass(frozen=True, kw_only=True)
class MergedRows:
    """n particles in micrographs of a RELION project.

    Attributes
    ----------
    names, sizes_a
        Micrographs as the project names them, and their pixel sizes, Å.
    micrograph_of
        int64 (n,), index into ``names``.
    coordinates_px
        float64 (n, 2): centres, pixels of the micrograph.
    scores
        float64 (n,), higher is better, NaN where there is none; None: no particle has one.
    sources, source_of, row_of
        Names of the inputs; int64 (n,), index into them; and the row there, from 0.
    """

    names: Sequence[str]
    sizes_a: Sequence[float]
    micrograph_of: NDArray[np.int64]
    coordinates_px: NDArray[np.float64]
    scores: NDArray[np.float64] | None
    sources: Sequence[str]
    source_of: NDArray[np.int64]
    row_of: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.micrograph_of)

    def write(self, to: Destination, project: Path) -> tuple[str, str]:
        """Writes the table, the coordinate files and their index; returns the names of the table and the index.

        ``project``: RELION's directory, from which it looks paths up.
        """
        table, index = (_free(to, stem) for stem in ("merged", "coordinates"))
        self._write_table(to.staging / f"{table}.star")
        self._write_index(to, index, project)
        return f"{table}.star", f"{index}.star"

    def _write_table(self, path: Path) -> None:
        sizes = sorted(set(self.sizes_a))
        group_of = [str(1 + sizes.index(size)) for size in self.sizes_a]
        optics = [f"opticsGroup{i + 1} {i + 1} {size:.6f}" for i, size in enumerate(sizes)]
        heads = [f"{quoted(name)} {group}" for name, group in zip(self.names, group_of, strict=True)]
        labels = ["rlnMicrographName", "rlnOpticsGroup", *self._labels, SOURCE, ROW]
        sources = [quoted(name) for name in self.sources]
        with naming(path), path.open("w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(_head("optics", ["rlnOpticsGroupName", "rlnOpticsGroup", "rlnMicrographPixelSize"]))
            file.writelines(f"{line} \n" for line in optics)
            file.write("\n" + _head("particles", labels))
            order = np.arange(len(self))
            rows = zip(self.micrograph_of.tolist(), self._cells(order), self.source_of.tolist(), self.row_of.tolist(), strict=True)
            file.writelines(f"{heads[micrograph]} {cells} {sources[source]} {row} \n" for micrograph, cells, source, row in rows)

    def _write_index(self, to: Destination, stem: str, project: Path) -> None:
        order = np.argsort(self.micrograph_of, kind="stable")
        counts = np.bincount(self.micrograph_of, minlength=len(self.names)).tolist()
        final, cells = to.final.resolve(), self._cells(order)
        base = final.relative_to(project) if final.is_relative_to(project) else final
        files = distinct_names([Path(f"{Path(name).stem}_picks.star") for name in self.names])
        folder, index = to.staging / stem, to.staging / f"{stem}.star"
        with naming(folder):
            folder.mkdir()
        lines = []
        for name, file_name, number in zip(self.names, files, counts, strict=True):
            with naming(folder / file_name), (folder / file_name).open("w", encoding="utf-8") as file:
                file.write(_head("", self._labels))
                file.writelines(f"{next(cells)} \n" for _ in range(number))
            lines.append(f"{quoted(name)} {quoted(str(base / stem / file_name))} \n")
        with naming(index), index.open("w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(_head("coordinate_files", ["rlnMicrographName", "rlnMicrographCoordinates"]))
            file.writelines(lines)

    @property
    def _labels(self) -> list[str]:
        return ["rlnCoordinateX", "rlnCoordinateY", *(["rlnAutopickFigureOfMerit"] if self.scores is not None else [])]

    def _cells(self, order: NDArray[np.int64]) -> Iterator[str]:
        """Coordinates and score of each row, in an order."""
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            columns = self.coordinates_px[rows]
            if self.scores is not None:
                columns = np.column_stack([columns, np.nan_to_num(self.scores[rows], nan=UNSET_SCORE)])
            yield from (" ".join(f"{value:.6f}" for value in row) for row in columns.tolist())


def _free(to: Destination, stem: str) -> str:
    """The stem of a name that no output of an input has."""
    names = (f"{stem}{number}_{to.words[0]}" for number in ("", *(f"-{k}" for k in range(2, 10_000))))
    return next(name for name in names if not any((to.staging / f"{name}{suffix}").exists() for suffix in ("", ".star")))


def _head(block: str, labels: Sequence[str]) -> str:
    numbered = "".join(f"_{label} #{i + 1} \n" for i, label in enumerate(labels))
    return f"# version 30001\n\ndata_{block}\n\nloop_ \n{numbered}"
