"""CryoSPARC datasets in whichever form they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cryodedup.errors import InputError
from cryodedup.formats.cryosparc import CsdatFile, Distinct, Fields, NpyFile, Wanted, check_type
from cryodedup.formats.cs_group import CsGroup
from cryodedup.formats.detect import kind_of

DatasetFile: TypeAlias = NpyFile | CsdatFile


def open_dataset(path: Path, threads: int = 0, progress: Callable[[int], object] | None = None) -> DatasetFile:
    """A dataset in NPY or CSDAT form, as its first bytes say; ``progress`` gets the bytes read."""
    kind = kind_of(path)
    if kind not in ("npy", "csdat"):
        raise InputError(kind="contradiction", path=path, found="another format", expected="a CryoSPARC dataset, as the group (.csg) says")
    return NpyFile.open(path, threads, progress) if kind == "npy" else CsdatFile.open(path)


@dataclass(frozen=True)
class JoinedFields:
    """Several datasets of the same particles, as the main and the passthrough file of a job: rows in the order of the first.

    ``orders`` gives for each dataset the row of every particle; None where it is the same. ``group`` names
    the dataset of each slot; fields of no slot are those of the first dataset that has them.
    """

    parts: Sequence[Fields]
    orders: Sequence[NDArray[np.int64] | None]
    label: str
    group: CsGroup | None = None

    @classmethod
    def of(cls, parts: Sequence[Fields], group: CsGroup | None = None) -> JoinedFields:
        """Joins datasets on ``uid``, since their order may differ; all must hold the same rows. ``group``: the ``.csg`` that names them."""
        if group is not None:
            group.check_counts([len(part) for part in parts])
        label = parts[0].label if group is None else str(group.path)
        if len(parts) == 1:
            return cls(parts, [None], label, group)
        for part in parts:
            if "uid" not in part:
                raise InputError(kind="missing", path=part.label, found="no field uid", expected=f"it to join {parts[0].label} on")
        first = parts[0].uids()
        return cls(parts, [None, *(_order(parts[0].label, first, part) for part in parts[1:])], label, group)

    def load(self, wanted: Sequence[Wanted]) -> None:
        """Reads fields in one pass over each file, instead of one for each."""
        for i, part in enumerate(self.parts):
            part.load([(name, how) for name, how in wanted if name in self and self._number(name) == i])

    def __len__(self) -> int:
        return len(self.parts[0])

    def __contains__(self, field: object) -> bool:
        return self._number(str(field)) is not None

    @property
    def names(self) -> list[str]:
        """All fields."""
        return list(dict.fromkeys(name for part in self.parts for name in part.dtype.names or () if name in self))

    def _number(self, field: str) -> int | None:
        """Which dataset has a field; None: none, or not the one that the group names for its slot."""
        numbers = range(len(self.parts)) if self.group is None else self.group.numbers_of(field)
        return next((i for i in numbers if field in self.parts[i]), None)

    def _part(self, field: str) -> tuple[Fields, Any]:
        found = self._number(field)
        assert found is not None
        order = self.orders[found]
        return self.parts[found], slice(None) if order is None else order

    def numbers(self, field: str, element: int | None = None) -> NDArray[np.float64]:
        part, order = self._part(field)
        values: NDArray[np.float64] = part.numbers(field, element)[order]
        return values

    def uids(self, field: str = "uid") -> NDArray[np.uint64]:
        part, order = self._part(field)
        values: NDArray[np.uint64] = part.uids(field)[order]
        return values

    def distinct(self, field: str, dtype: str | None = None, columns: int = 1) -> Distinct:
        part, order = self._part(field)
        if dtype is not None:
            check_type(part, field, dtype, columns)
        index, values = part.distinct(field)
        return index[order], values

    def paths(self, field: str) -> tuple[NDArray[np.uint32], list[str]]:
        """For each row the index of its path, and the distinct paths, without the ``>`` that stands for the project's directory."""
        dtype = self._part(field)[0].dtype[field]
        if dtype.kind not in "SUO":
            raise InputError(kind="malformed", path=self.label, field=field, found=f"type {dtype}", expected="text")
        index, values = self.distinct(field)
        return index, [value.decode("utf-8", "surrogateescape").rstrip("\0").removeprefix(">") for value in values]


def _order(label: str, first: NDArray[np.uint64], other: Fields) -> NDArray[np.int64] | None:
    uids = other.uids()
    if np.array_equal(first, uids):
        return None
    by_uid, of_first = np.argsort(uids, kind="stable"), np.argsort(first, kind="stable")
    if len(uids) != len(first) or not np.array_equal(uids[by_uid], first[of_first]):
        missing = int((~np.isin(first, uids)).sum())
        raise InputError(
            kind="contradiction",
            path=other.label,
            found=f"{len(uids):,} rows, which lack {missing:,} of the {len(first):,} of {label} (by uid)",
            expected="the same rows in both, each the same number of times",
        )
    order = np.empty(len(first), np.int64)
    order[of_first] = by_uid
    return order
