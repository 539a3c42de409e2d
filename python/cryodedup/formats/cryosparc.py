"""CryoSPARC datasets: ``.cs`` (NPY and CSDAT form) and ``.csg`` groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.errors import InputError, naming
from cryodedup.formats import csdat
from cryodedup.formats.npy import LONGEST_HEADER, check_header, npy_header

Distinct = tuple[NDArray[np.uint32], list[bytes]]
"""For each record the index of its value, and the distinct values' bytes."""


class Fields(Protocol):
    """Records of particles by field, from a file or from memory.

    ``numbers`` gives a field, or one element of it, as float64 (n,); ``uids`` a field of identifiers as uint64 (n,); ``distinct`` any field
    as indices into its distinct values. ``load`` announces what will be asked for, so that a file is read once.
    """

    @property
    def label(self) -> str: ...
    def __len__(self) -> int: ...
    def __contains__(self, field: object) -> bool: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def numbers(self, field: str, element: int | None = None) -> NDArray[np.float64]: ...
    def uids(self, field: str = "uid") -> NDArray[np.uint64]: ...
    def distinct(self, field: str) -> Distinct: ...
    def load(self, wanted: Iterable[Wanted]) -> None: ...


Wanted = tuple[str, int | Literal["number", "uid", "distinct"]]
"""A field, and how it will be read; a number is the index of an element."""


def check_type(fields: Fields, field: str, dtype: str, columns: int = 1) -> None:
    """Raises InputError unless a field has this many numbers of this type."""
    found = fields.dtype[field]
    base, shape = found.subdtype if found.subdtype is not None else (found, ())
    if base != np.dtype(dtype) or shape != (() if columns == 1 else (columns,)):
        count = "" if columns == 1 else f"{columns} "
        raise InputError(
            kind="malformed",
            path=fields.label,
            field=field,
            found=f"type {found}",
            expected=f"{count}{np.dtype(dtype).name}, little-endian",
        )


def unpack(values: list[bytes], dtype: str, columns: int = 1) -> NDArray[Any]:
    """Distinct values as numbers, shape (values, columns); zero bytes at their ends were cut off."""
    width = np.dtype(dtype).itemsize * columns
    return np.frombuffer(b"".join(value.ljust(width, b"\0") for value in values), dtype).reshape(len(values), columns)


@dataclass(frozen=True)
class NpyFile:
    """A dataset in NPY form: a header, and one record a particle."""

    path: Path
    dtype: np.dtype[Any]
    count: int
    start: int
    rows: _core.Rows
    threads: int = 0
    progress: Callable[[int], object] | None = None
    _loaded: dict[tuple[int, str], Any] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, threads: int = 0, progress: Callable[[int], object] | None = None) -> NpyFile:
        """Reads the header, and checks it against the file's size."""
        with path.open("rb") as file:
            try:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                check_header(file, version)
                shape, _, dtype = read(file, max_header_size=LONGEST_HEADER)
            except (OSError, MemoryError):
                raise
            except Exception as error:  # a damaged header makes numpy raise what it likes
                reason = str(error).splitlines()[0] if str(error) else "unreadable"
                raise InputError(
                    kind="malformed", path=path, found=f"a damaged NPY header ({reason})", expected="that of a CryoSPARC dataset"
                ) from None
            start = file.tell()
        if version == (3, 0) and dtype.names is not None:  # UTF-8, which numpy's public readers take for Latin-1
            dtype.names = tuple(name.encode("latin1").decode("utf-8", "replace") for name in dtype.names)
        if dtype.hasobject:
            raise InputError(
                kind="unsupported",
                path=path,
                found="pickled objects",
                expected="plain records: such a file is not read, as it could run any program",
            )
        if dtype.names is None or len(shape) != 1 or shape[0] < 0 or not dtype.itemsize:
            raise InputError(kind="malformed", path=path, found=f"an array of {dtype} of shape {shape}", expected="one record per particle")
        present, rest = divmod(path.stat().st_size - start, dtype.itemsize)
        if present < shape[0]:
            raise InputError(
                kind="truncated",
                path=path,
                found=f"{present} whole records",
                expected=f"{shape[0]} as its header says",
                remedy="is it truncated?",
            )
        if present > shape[0] or rest:
            found = (present - shape[0]) * dtype.itemsize + rest
            raise InputError(
                kind="malformed",
                path=path,
                found=f"{found:,} bytes after {shape[0]} records",
                expected="none as its header says",
                remedy="is it damaged?",
            )
        rows = _core.Rows.records(path, start, dtype.itemsize, int(shape[0]))
        return cls(path, dtype, int(shape[0]), start, rows, threads, progress)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy in another process does not report to this one's progress."""
        return NpyFile, (self.path, self.dtype, self.count, self.start, self.rows, self.threads)

    @property
    def label(self) -> str:
        return str(self.path)

    def __len__(self) -> int:
        return self.count

    def __contains__(self, field: object) -> bool:
        return self.dtype.names is not None and field in self.dtype.names

    def load(self, wanted: Iterable[Wanted]) -> None:
        """Reads fields in one pass over the file; each column is freed once it was asked for."""
        keys = [self._key(name, how) for name, how in wanted if name in self]
        columns = _core.read_records(self.path, self.rows, keys, threads=self.threads, progress=self.progress)
        self._loaded.update(zip(keys, columns, strict=True))

    def _read(self, name: str, how: int | Literal["number", "uid", "distinct"]) -> Any:
        key = self._key(name, how)
        if key not in self._loaded:
            self.load([(name, how)])
        return self._loaded.pop(key)

    def _key(self, name: str, how: int | Literal["number", "uid", "distinct"]) -> tuple[int, str]:
        """Offset and type for the core's reader."""
        assert self.dtype.fields is not None
        dtype, offset = self.dtype.fields[name][:2]
        if how == "distinct":
            return int(offset), f"S{dtype.itemsize}"
        if how == "uid":
            if dtype != np.dtype("<u8"):
                raise InputError(kind="malformed", path=self.path, field=name, found=f"type {dtype}", expected="uint64")
            return int(offset), "uid"
        element = None if how == "number" else how
        base = _number_type(self.path, name, dtype, element)
        return int(offset) + (element or 0) * base.itemsize, base.str[1:]

    def numbers(self, field: str, element: int | None = None) -> NDArray[np.float64]:
        return cast("NDArray[np.float64]", self._read(field, "number" if element is None else element))

    def uids(self, field: str = "uid") -> NDArray[np.uint64]:
        return cast("NDArray[np.uint64]", self._read(field, "uid"))

    def distinct(self, field: str) -> Distinct:
        index, values = cast("Distinct", self._read(field, "distinct"))
        return index, [_utf8(value) for value in values] if self.dtype[field].kind == "U" else values

    def records(self) -> NDArray[Any]:
        """All records.

        Raises
        ------
        InputError
            The file was changed since it was opened.
        """
        _core.read_records(self.path, self.rows, [], threads=self.threads, progress=None)
        return np.fromfile(self.path, self.dtype, self.count, offset=self.start)

    def header(self, count: int) -> bytes:
        """The header of a file of ``count`` such records; for all of them, as it stands."""
        if count == self.count:
            with self.path.open("rb") as file:
                return file.read(self.start)
        return npy_header(self.dtype, count)


def _utf8(value: bytes) -> bytes:
    """Text of numpy's ``U`` type, four bytes a character, of which zero bytes at the end were cut off."""
    whole = value.ljust(-(-len(value) // 4) * 4, b"\0")
    return whole.decode("utf-32-le", "replace").encode()


def _number_type(path: Path | str, field: str, dtype: np.dtype[Any], element: int | None) -> np.dtype[Any]:
    base, shape = dtype.subdtype if dtype.subdtype is not None else (dtype, ())
    expected = "one number" if element is None else f"more than {element} numbers"
    fits = shape == () if element is None else len(shape) == 1 and element < shape[0]
    if base.kind not in "fiu" or base.itemsize not in (4, 8) or base.str[0] == ">" or not fits:
        raise InputError(
            kind="malformed", path=path, field=field, found=f"type {dtype}", expected=f"{expected} of 4 or 8 bytes, little-endian"
        )
    return base


@dataclass(frozen=True)
class RecordArray:
    """Records in memory: of a CSDAT file, a ``Dataset`` or a structured array."""

    label: str
    fields: Mapping[str, NDArray[Any]]
    count: int

    @classmethod
    def of(cls, records: Any, label: str = "dataset") -> RecordArray:
        """From a structured array, or anything with ``fields()`` and ``[field]`` as cryosparc-tools' ``Dataset``."""
        names = records.dtype.names if isinstance(records, np.ndarray) else records.fields()
        return cls(label, {name: np.asarray(records[name]) for name in names}, len(records))

    def __len__(self) -> int:
        return self.count

    def __contains__(self, field: object) -> bool:
        return field in self.fields

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype([(name, values.dtype, values.shape[1:]) for name, values in self.fields.items()])

    def load(self, wanted: Iterable[Wanted]) -> None:
        """Nothing to do: all is in memory."""

    def numbers(self, field: str, element: int | None = None) -> NDArray[np.float64]:
        values = self.fields[field]
        _number_type(self.label, field, np.dtype((values.dtype, values.shape[1:])), element)
        return np.ascontiguousarray(values if element is None else values[:, element], np.float64)

    def uids(self, field: str = "uid") -> NDArray[np.uint64]:
        check_type(self, field, "<u8")
        return np.ascontiguousarray(self.fields[field], np.uint64)

    def distinct(self, field: str) -> Distinct:
        values = self.fields[field]
        if values.dtype.kind in "OU":
            values = np.array([str(value).encode() for value in values], "S")
        rows = np.ascontiguousarray(values).view(f"V{values.dtype.itemsize * int(np.prod(values.shape[1:]))}").reshape(self.count)
        found, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return rank[inverse].astype(np.uint32), [found[i].tobytes().rstrip(b"\0") for i in order]


@dataclass(frozen=True)
class CsdatFile(RecordArray):
    """A dataset in CSDAT form, read and written by cryosparc-tools."""

    path: Path
    dataset: Any

    @classmethod
    def open(cls, path: Path) -> CsdatFile:
        """Needs the extra ``[cryosparc]``."""
        dataset = csdat.load(path)
        records = RecordArray.of(dataset)
        return cls(str(path), records.fields, len(records), path, dataset)

    def save(self, path: Path, mask: NDArray[np.bool_]) -> None:
        """Writes some of the particles in the same form."""
        from cryosparc.dataset import CSDAT_FORMAT

        with naming(path):
            self.dataset.mask(mask).save(path, format=CSDAT_FORMAT)
