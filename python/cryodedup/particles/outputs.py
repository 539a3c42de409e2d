"""Writing the kept and the rejected particles of each input in its own format, rows byte for byte."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.formats import cryosparc
from cryodedup.formats.star import StarFile, quoted
from cryodedup.particles.optics import Optics
from cryodedup.particles.optimisation_set import NAME as OPTIMISATION_SET
from cryodedup.particles.optimisation_set import OptimisationSet

Mask = NDArray[np.bool_]
Progress = Callable[[int], object] | None
Part = Any
"""What :func:`cryodedup._core.split` takes."""


@dataclass(frozen=True)
class Place:
    """Where files are written, and where they are moved when all are done."""

    staging: Path
    final: Path
    words: tuple[str, str] = ("kept", "rejected")
    """What the names of the two files end in."""


class Output(Protocol):
    """How the particles of one input are written; ``stem`` and ``suffix`` are those of its file."""

    @property
    def stem(self) -> str: ...

    @property
    def suffix(self) -> str: ...

    @property
    def files(self) -> Sequence[Path]:
        """The files the rows are copied from."""

    def key(self) -> object:
        """Inputs of equal keys can be written into one file."""

    def write(self, place: Place, stem: str, kept: Mask, others: Sequence[tuple[Any, Mask]], progress: Progress) -> list[str]:
        """Writes ``<stem>_kept`` and ``<stem>_rejected`` of this input and the others of equal key; returns what is to be told."""


def plan(outputs: Sequence[Output]) -> list[tuple[str, list[int]]]:
    """Which inputs are written together, and the stem of their files' names.

    Those of one format and equal columns are joined; the only output of a format is called ``particles``, several have the inputs' names.
    """
    sets: dict[object, list[int]] = {}
    for i, output in enumerate(outputs):
        sets.setdefault((output.suffix, output.key()), []).append(i)
    planned: list[tuple[str, list[int]]] = []
    used: set[str] = set()
    for members in sets.values():
        first = outputs[members[0]]
        alone = sum(outputs[other[0]].suffix == first.suffix for other in sets.values()) == 1
        stem = "particles" if alone and first.suffix in (".star", ".cs") else first.stem
        planned.append((free_stem(first, stem, used), members))
    return planned


def free_stem(output: Output, stem: str, used: set[str]) -> str:
    """The stem, with a number behind it where files of these names are ``used`` already; adds its own to them."""
    name, number = stem, 2
    while used & set(_targets(output, name)):
        name, number = f"{stem}-{number}", number + 1
    used.update(_targets(output, name))
    return name


def _targets(output: Output, stem: str) -> list[str]:
    """The names that the files of the kept take."""
    if output.suffix == ".cs":
        return [f"{stem}_kept.cs", f"{stem}_kept.csg"]
    if output.suffix == "/":
        return [f"{stem}_kept", f"{stem}_kept.star"]  # a folder, and perhaps its index
    return [f"{stem}_kept{output.suffix}"]


def unjoined(outputs: Sequence[Output], planned: Sequence[tuple[str, list[int]]]) -> list[str]:
    """Notes for STAR inputs that are written apart from others."""
    firsts = [outputs[members[0]] for _, members in planned]
    stars = [output for output in firsts if isinstance(output, StarOutput)]
    if len(stars) < 2:
        return []
    names = ", ".join(str(output.file.path) for output in stars)
    same = len({tuple(output.table.labels) for output in stars}) == 1
    return [f"{names}: written apart, since the columns of their {'optics groups' if same else 'particles'} differ"]


@dataclass(frozen=True)
class NoOutput:
    """Of particles that come from memory."""

    stem: str = ""
    suffix: str = ""
    files: tuple[Path, ...] = ()

    def key(self) -> object:
        return None

    def write(self, place: Place, stem: str, kept: Mask, others: Sequence[tuple[Any, Mask]], progress: Progress) -> list[str]:
        raise InputError("particles given as a table are not written to files; use the result's kept_table()")


@dataclass(frozen=True)
class StarOutput:
    """A STAR file of particles; and the optimisation set that names it, which is written anew."""

    file: StarFile
    table: _core.Table
    optimisation_set: OptimisationSet | None = None
    suffix: str = ".star"

    @property
    def stem(self) -> str:
        return self.file.path.stem

    @property
    def files(self) -> list[Path]:
        return [self.file.path, *([self.optimisation_set.path] if self.optimisation_set else [])]

    def key(self) -> object:
        optics = self.file.find("optics")
        if self.optimisation_set is not None:  # tomograms of another project may have equal names
            return self.file.path
        if optics is None and self.file.optics:  # written without a loop, which has no place for another group
            return self.file.path
        if optics is not None and not ("rlnOpticsGroup" in optics.labels and "rlnOpticsGroup" in self.table.labels):
            return self.file.path
        return tuple(self.table.labels), tuple(optics.labels) if optics else None

    def write(self, place: Place, stem: str, kept: Mask, others: Sequence[tuple[StarOutput, Mask]], progress: Progress) -> list[str]:
        merged = Optics.of(self.file)
        renumbered = [merged.add(Optics.of(other.file)) for other, _ in others]
        rows = [self._rows(kept, None, bool(others))]
        rows += [other._rows(mask, new, True) for (other, mask), new in zip(others, renumbered, strict=True)]
        start, end = (self.table.rows.start(row) for row in (0, len(self.table.rows)))
        pieces: list[tuple[int, int, list[Part]]] = [(start, end, rows)]
        if merged.added:
            lines = merged.added_lines(self.file.path)
            pieces.append((merged.end, merged.end, [(lines, lines)]))
        parts: list[Part] = []
        at = 0
        for piece_start, piece_end, piece in sorted(pieces, key=lambda piece: piece[0]):
            parts += [(self.file.path, at, piece_start), *piece]
            at = piece_end
        parts.append((self.file.path, at, self.file.path.stat().st_size))
        _core.split(parts, *(place.staging / f"{stem}_{word}.star" for word in place.words), progress=progress)
        return [*self._notes(others, renumbered), *self._write_set(place, stem)]

    def _write_set(self, place: Place, stem: str) -> list[str]:
        """The optimisation set of the particles that stay."""
        if self.optimisation_set is None:
            return []
        name = OPTIMISATION_SET if stem == "particles" else f"{stem}_{OPTIMISATION_SET}"
        particles = Path(os.path.realpath(place.final)) / f"{stem}_{place.words[0]}.star"
        (place.staging / name).write_text(self.optimisation_set.text_for(particles), "utf-8", "surrogateescape")
        return self.optimisation_set.lost

    def _rows(self, kept: Mask, renumbered: dict[str, str] | None, end_line: bool) -> Part:
        rewrite = None
        if renumbered:
            column = self.table.labels.index("rlnOpticsGroup")
            rewrite = (column, [(old.encode(), new.encode()) for old, new in renumbered.items()])
        return self.file.path, self.table.rows, kept, rewrite, end_line

    def _notes(self, others: Sequence[tuple[StarOutput, Mask]], renumbered: Iterable[dict[str, str]]) -> list[str]:
        notes = []
        for (other, _), new in zip(others, renumbered, strict=True):
            if new:
                changes = ", ".join(f"{old} is now {number}" for old, number in new.items())
                notes.append(f"{other.file.path}: optics groups renumbered where they clash: {changes}")
            extra = [table.block for table in other.file.tables if table.start != other.table.start and table.block != "optics"]
            if extra:
                notes.append(f"{other.file.path}: joined to {self.file.path}; its further blocks are not written: {', '.join(extra)}")
        return notes


@dataclass(frozen=True)
class DatasetOutput:
    """A CryoSPARC dataset, or a main one and its passthrough, whose rows may be in another order.

    NPY form is copied record for record. CSDAT form has no records: cryosparc-tools writes it, value for value.
    """

    parts: Sequence[cryosparc.NpyFile | cryosparc.CsdatFile]
    orders: Sequence[NDArray[np.int64] | None]
    group: cryosparc.CsGroup | None
    suffix: str = ".cs"
    kind: str = "particle"

    @property
    def stem(self) -> str:
        return self.group.path.stem if self.group else self.parts[0].path.stem

    @property
    def files(self) -> list[Path]:
        return [*(part.path for part in self.parts), *([self.group.path] if self.group else [])]

    def key(self) -> object:
        if any(isinstance(part, cryosparc.CsdatFile) for part in self.parts):
            return self.parts[0].path  # never joined
        return tuple(tuple(map(str, part.dtype.descr)) for part in self.parts)

    def write(self, place: Place, stem: str, kept: Mask, others: Sequence[tuple[DatasetOutput, Mask]], progress: Progress) -> list[str]:
        inputs = [(self, kept), *others]
        counts = [sum(int((mask == value).sum()) for _, mask in inputs) for value in (True, False)]
        names = dataset_names(stem, len(self.parts), place.words)
        for number, (part, name) in enumerate(zip(self.parts, names, strict=True)):
            targets = [place.staging / word for word in name]
            if isinstance(part, cryosparc.CsdatFile):
                mask = self.mask_of_part(number, kept)
                part.save(targets[0], mask)
                part.save(targets[1], ~mask)
                continue
            pieces: list[Part] = [(part.header(counts[0]), part.header(counts[1]))]
            for output, mask in inputs:
                source = output.parts[number]
                assert isinstance(source, cryosparc.NpyFile)
                pieces.append((source.path, source.rows, output.mask_of_part(number, mask), None, False))
            _core.split(pieces, *targets, progress=progress)
        self._write_groups(place, stem, names, counts)
        return []

    def mask_of_part(self, number: int, kept: Mask) -> Mask:
        """A mask of the particles in the order of one of the files."""
        order = self.orders[number]
        if order is None:
            return kept
        mask = np.empty_like(kept)
        mask[order] = kept
        return mask

    def _write_groups(self, place: Place, stem: str, names: Sequence[tuple[str, str]], counts: Sequence[int]) -> None:
        for which, (word, count) in enumerate(zip(place.words, counts, strict=True)):
            if self.group is not None:
                text = self.group.renamed({part.path: name[which] for part, name in zip(self.parts, names, strict=True)}, count, word)
            else:
                text = cryosparc.group_text(
                    [(part.dtype, name[which]) for part, name in zip(self.parts, names, strict=True)], count, word, self.kind
                )
            (place.staging / f"{stem}_{word}.csg").write_text(text)


@dataclass(frozen=True)
class ParticleRows:
    """A file with several rows a particle, which stay or go as one.

    Attributes
    ----------
    rows
        How the rows are written.
    particle_of
        int64 (rows,): the particle of each row.
    """

    rows: StarOutput
    particle_of: NDArray[np.int64]
    suffix: str = ".star"

    @property
    def stem(self) -> str:
        return self.rows.stem

    @property
    def files(self) -> list[Path]:
        return self.rows.files

    def key(self) -> object:
        return self.rows.file.path  # never joined

    def write(self, place: Place, stem: str, kept: Mask, others: Sequence[tuple[Any, Mask]], progress: Progress) -> list[str]:
        return self.rows.write(place, stem, kept[self.particle_of], [], progress)


def dataset_names(stem: str, count: int, words: tuple[str, str]) -> list[tuple[str, str]]:
    """File names of the kept and the rejected: of the main dataset, and of what is passed through."""
    middle = ["", "_passthrough", *(f"_passthrough{i}" for i in range(2, count))][:count]
    return [(f"{stem}_{words[0]}{name}.cs", f"{stem}_{words[1]}{name}.cs") for name in middle]


@dataclass(frozen=True)
class PickFile:
    """One file of picks, which are some of an input's rows."""

    path: Path
    rows: _core.Rows
    first: int


@dataclass(frozen=True)
class PickFilesOutput:
    """Files of picks, most often one a micrograph: into folders of the same file names; a single file into files."""

    source: Path
    picks: Sequence[PickFile]
    index: tuple[StarFile, _core.Table, Path] | None = None
    """A RELION index and the project's directory: the index is written anew with the paths of the new files."""

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

    def key(self) -> object:
        return self.source

    def write(self, place: Place, stem: str, kept: Mask, others: Sequence[tuple[Any, Mask]], progress: Progress) -> list[str]:
        if self.is_single:
            places = [tuple(place.staging / f"{stem}_{word}{self.source.suffix}" for word in ("kept", "rejected"))]
        else:
            folders = [place.staging / f"{stem}_{word}" for word in ("kept", "rejected")]
            for folder in folders:
                folder.mkdir()
            places = [tuple(folder / name for folder in folders) for name in _distinct_names([pick.path for pick in self.picks])]
        for pick, (kept_path, rejected_path) in zip(self.picks, places, strict=True):
            mask = kept[pick.first : pick.first + len(pick.rows)]
            start, end = pick.rows.start(0), pick.rows.start(len(pick.rows))
            parts: list[Part] = [
                (pick.path, 0, start),
                (pick.path, pick.rows, mask, None, False),
                (pick.path, end, pick.path.stat().st_size),
            ]
            _core.split(parts, kept_path, rejected_path, progress=progress)
        if self.index is not None:
            self._write_index(place, stem, [kept_path.name for kept_path, _ in places])
        return []

    def _write_index(self, place: Place, stem: str, names: Sequence[str]) -> None:
        assert self.index is not None
        file, table, project = self.index
        column = table.labels.index("rlnMicrographCoordinates")
        with file.path.open("rb") as handle:
            content = handle.read()
        starts = [table.rows.start(row) for row in range(len(table.rows) + 1)]
        final = place.final.resolve()
        # RELION looks paths up from the project's directory.
        base = final.relative_to(project) if final.is_relative_to(project) else final
        for word in ("kept", "rejected"):
            lines = []
            for start, end, name in zip(starts, starts[1:], names, strict=False):
                line = content[start:end]
                first, last = _core.cell_spans(line)[column]
                path = quoted(str(base / f"{stem}_{word}" / name)).encode("utf-8", "surrogateescape")
                lines.append(line[:first] + path + line[last:])
            written = content[: starts[0]] + b"".join(lines) + content[starts[-1] :]
            (place.staging / f"{stem}_{word}.star").write_bytes(written)


def _distinct_names(paths: Sequence[Path]) -> list[str]:
    """File names, with a number in front where two are equal."""
    used: dict[str, int] = {}
    names = []
    for path in paths:
        used[path.name] = times = used.get(path.name, 0) + 1
        names.append(path.name if times == 1 else f"{times}_{path.name}")
    return names if len(set(names)) == len(names) else [f"{i:05}_{path.name}" for i, path in enumerate(paths)]
