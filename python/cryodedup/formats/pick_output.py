"""Files of picks, and RELION's index of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryodedup import _core
from cryodedup.errors import naming
from cryodedup.formats.output import Destination, Mask
from cryodedup.formats.star import SingleRow, StarFile, quoted
from cryodedup.progress import Progress


@dataclass(frozen=True)
class PickFile:
    """One file of picks, which are some of an input's rows."""

    path: Path
    rows: _core.Rows
    first: int
    single: SingleRow | None = None
    """The rows, if they are one without a loop."""

    def part(self, kept: Mask) -> _core.Part:
        """Returns what is written of its rows."""
        return _core.Part.rows(self.path, self.rows, kept) if self.single is None else self.single.part(kept)


@dataclass(frozen=True)
class PickFilesOutput:
    """Files of picks, usually one for each micrograph: written into folders under the same names; a single file into files."""

    source: Path
    picks: Sequence[PickFile]
    index: tuple[StarFile, _core.Table, Path] | None = None
    """A RELION index and the project's directory: the index is written again with the paths of the new files."""

    @property
    def suffix(self) -> str:
        return self.picks[0].path.suffix if self.is_single else "/"

    @property
    def is_single(self) -> bool:
        return self.index is None and len(self.picks) == 1 and self.picks[0].path == self.source

    @property
    def stem(self) -> str:
        return self.source.stem if self.source.suffix else self.source.name

    @property
    def files(self) -> list[Path]:
        return [self.source, *(pick.path for pick in self.picks)]

    @property
    def row_files(self) -> list[Path]:
        return [pick.path for pick in self.picks]

    @property
    def row_bytes(self) -> int:
        return sum(pick.rows.start(len(pick.rows)) - pick.rows.start(0) for pick in self.picks)

    def key(self) -> object:
        return self.source

    def write(self, to: Destination, stem: str, kept: Mask, others: Sequence[tuple[Any, Mask]], progress: Progress) -> list[str]:
        if self.is_single:
            paths = [tuple(to.staging / f"{stem}_{word}{self.source.suffix}" for word in to.words)]
        else:
            folders = [to.staging / f"{stem}_{word}" for word in to.words]
            for folder in folders:
                folder.mkdir()
            paths = [tuple(folder / name for folder in folders) for name in distinct_names([pick.path for pick in self.picks])]
        for pick, (kept_path, rejected_path) in zip(self.picks, paths, strict=True):
            mask = kept[pick.first : pick.first + len(pick.rows)]
            start, end = pick.rows.start(0), pick.rows.start(len(pick.rows))
            parts = [
                _core.Part.span(pick.path, 0, start),
                pick.part(mask),
                _core.Part.span(pick.path, end, pick.path.stat().st_size),
            ]
            _core.split(parts, kept_path, rejected_path, progress=progress.advance_to)
        if self.index is not None:
            self._write_index(to, stem, [kept_path.name for kept_path, _ in paths])
        return []

    def _write_index(self, to: Destination, stem: str, names: Sequence[str]) -> None:
        assert self.index is not None
        file, table, project = self.index
        _core.read_cells(file.path, table.rows, [])  # refuses a file that was changed since it was read
        column = table.labels.index("rlnMicrographCoordinates")
        with file.path.open("rb") as handle:
            content = handle.read()
        starts = [table.rows.start(row) for row in range(len(table.rows) + 1)]
        final = to.final.resolve()
        # RELION looks paths up from the project's directory.
        base = final.relative_to(project) if final.is_relative_to(project) else final
        for word in to.words:
            lines = []
            for start, end, name in zip(starts[:-1], starts[1:], names, strict=True):
                line = content[start:end]
                first, last = _core.cell_spans(line)[column]
                path = quoted(str(base / f"{stem}_{word}" / name)).encode("utf-8", "surrogateescape")
                lines.append(line[:first] + path + line[last:])
            written = content[: starts[0]] + b"".join(lines) + content[starts[-1] :]
            target = to.staging / f"{stem}_{word}.star"
            with naming(target):
                target.write_bytes(written)


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """File names, with a number in front where two are equal."""
    used: dict[str, int] = {}
    names = []
    for path in paths:
        used[path.name] = times = used.get(path.name, 0) + 1
        names.append(path.name if times == 1 else f"{times}_{path.name}")
    return names if len(set(names)) == len(names) else [f"{i:05}_{path.name}" for i, path in enumerate(paths)]
