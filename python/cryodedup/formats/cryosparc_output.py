"""CryoSPARC datasets and their groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.errors import naming
from cryodedup.formats import cryosparc
from cryodedup.formats.cs_group import CsGroup, group_text
from cryodedup.formats.output import Destination, Mask
from cryodedup.progress import Progress


@dataclass(frozen=True)
class DatasetOutput:
    """A CryoSPARC dataset, or a main one and its passthrough, whose rows may be in another order.

    NPY form is copied record for record. CSDAT form has no records: cryosparc-tools writes it, value for value.
    """

    parts: Sequence[cryosparc.NpyFile | cryosparc.CsdatFile]
    orders: Sequence[NDArray[np.int64] | None]
    group: CsGroup | None
    suffix: str = ".cs"
    kind: str = "particle"

    @property
    def stem(self) -> str:
        return self.group.path.stem if self.group else self.parts[0].path.stem

    @property
    def files(self) -> list[Path]:
        return [*(part.path for part in self.parts), *([self.group.path] if self.group else [])]

    @property
    def row_files(self) -> list[Path]:
        return [part.path for part in self.parts]

    @property
    def row_bytes(self) -> int:
        return sum(part.dtype.itemsize * len(part) for part in self.parts if isinstance(part, cryosparc.NpyFile))

    def taken(self, mask: Mask) -> Any:
        """A structured array with the fields of all parts; a ``Dataset`` of a file in CSDAT form."""
        first = self.parts[0]
        if isinstance(first, cryosparc.CsdatFile):
            return first.dataset.mask(self.mask_of_part(0, mask))
        fields: dict[str, NDArray[Any]] = {}
        for number in range(len(self.parts)):  # the first that has a field, unless the group names another for its slot
            for name, values in self._fields_of(number, mask).items():
                if self.group is None or number in self.group.numbers_of(name):
                    fields.setdefault(name, values)
        records = np.empty(int(mask.sum()), [(name, values.dtype, values.shape[1:]) for name, values in fields.items()])
        for name, values in fields.items():
            records[name] = values
        return records

    def _fields_of(self, number: int, mask: Mask) -> dict[str, NDArray[Any]]:
        """The fields of one part, in the order of the particles."""
        part, order = self.parts[number], self.orders[number]
        assert isinstance(part, cryosparc.NpyFile)
        records = part.records()
        rows = np.flatnonzero(mask)
        chosen = records[rows if order is None else order[rows]]
        return {name: chosen[name] for name in part.dtype.names or ()}

    def key(self) -> object:
        if any(isinstance(part, cryosparc.CsdatFile) for part in self.parts):
            return self.parts[0].path  # never joined
        return tuple(tuple(map(str, part.dtype.descr)) for part in self.parts)

    def write(self, to: Destination, stem: str, kept: Mask, others: Sequence[tuple[DatasetOutput, Mask]], progress: Progress) -> list[str]:
        inputs = [(self, kept), *others]
        counts = [sum(int((mask == value).sum()) for _, mask in inputs) for value in (True, False)]
        names = dataset_names(stem, len(self.parts), to.words)
        for number, (part, name) in enumerate(zip(self.parts, names, strict=True)):
            targets = [to.staging / word for word in name]
            if isinstance(part, cryosparc.CsdatFile):
                mask = self.mask_of_part(number, kept)
                part.save(targets[0], mask)
                part.save(targets[1], ~mask)
                continue
            pieces = [_core.Part.text(part.header(counts[0]), part.header(counts[1]))]
            for output, mask in inputs:
                source = output.parts[number]
                assert isinstance(source, cryosparc.NpyFile)
                pieces.append(_core.Part.rows(source.path, source.rows, output.mask_of_part(number, mask)))
            _core.split(pieces, *targets, progress=progress.advance_to)
        self._write_groups(to, stem, names, counts)
        return []

    def mask_of_part(self, number: int, kept: Mask) -> Mask:
        """A mask of the particles in the order of one of the files."""
        order = self.orders[number]
        if order is None:
            return kept
        mask = np.empty_like(kept)
        mask[order] = kept
        return mask

    def _write_groups(self, to: Destination, stem: str, names: Sequence[tuple[str, str]], counts: Sequence[int]) -> None:
        for which, (word, count) in enumerate(zip(to.words, counts, strict=True)):
            if self.group is not None:
                text = self.group.renamed({part.path: name[which] for part, name in zip(self.parts, names, strict=True)}, count, word)
            else:
                text = group_text([(part.dtype, name[which]) for part, name in zip(self.parts, names, strict=True)], count, word, self.kind)
            path = to.staging / f"{stem}_{word}.csg"
            with naming(path):
                path.write_text(text, "utf-8")


def dataset_names(stem: str, count: int, words: tuple[str, str]) -> list[tuple[str, str]]:
    """File names of the kept and the rejected: of the main dataset, and of what is passed through."""
    middle = ["", "_passthrough", *(f"_passthrough{i}" for i in range(2, count))][:count]
    return [(f"{stem}_{words[0]}{name}.cs", f"{stem}_{words[1]}{name}.cs") for name in middle]
