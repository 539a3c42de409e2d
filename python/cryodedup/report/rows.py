"""Long tables as data that the page's script shows a few rows of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cryodedup.text import shown

MAX_BYTES = 2_300_000
"""A page holds as many rows as this: about 60,000 of particles, 45,000 of micrographs with long names."""


@dataclass(frozen=True)
class Column:
    """A column of a table: numbers, or words of few kinds; ``number``: which."""

    head: str
    values: Sequence[object]
    number: bool = True


@dataclass(frozen=True)
class LongTable:
    """Rows of a page, the most important ones first; ``names`` are the first column.

    ``data`` is what the script reads: names without what they share with the one before, columns, and words by number; and ``drawings``,
    of the first ``opened`` rows, the first ``images`` of which have an image. ``of_two_units``: no row opens for that reason.
    """

    head: str
    rows: int
    total: int
    data: str
    opened: int = 0
    images: int = 0
    of_two_units: bool = False

    def with_drawings(self, drawings: dict[str, Any] | None) -> LongTable:
        """The same with what is drawn when a row is opened; None: places are in Å in some rows and in pixels in others."""
        if drawings is None:
            return replace(self, of_two_units=True)
        images = sum(bool(address) for address, *_ in drawings["images"])
        data = f'{self.data[:-1]},"drawings":{_json(drawings)}}}'
        return replace(self, data=data, opened=len(drawings["frame_of"]), images=images)


def long_table(head: str, names: Sequence[str], columns: Sequence[Column], file_name: str) -> LongTable:
    """A table of as many rows as a page should hold; ``file_name``: what it is called when it is saved."""
    shared, rests = _without_shared([shown(name) for name in names])
    numbers: dict[object, int] = {}
    size, rows = 0, 0
    encoded: list[list[object]] = [[] for _ in columns]
    for k in range(len(names)):
        size += len(json.dumps(rests[k])) + 4
        for column, values in zip(columns, encoded, strict=True):
            value = column.values[k]
            if not column.number and value not in numbers:
                numbers[value] = len(numbers)
                size += len(json.dumps(str(value))) + 1
            values.append(value if column.number else numbers[value])
            size += len(str(values[-1])) + 1
        if size > MAX_BYTES:
            break
        rows += 1
    words = list(map(str, numbers))
    data = {
        "file": file_name,
        "heads": [head, *(column.head for column in columns)],
        "numbers": [False, *(column.number for column in columns)],
        "words": words,
        "shared": shared[:rows],
        "rests": rests[:rows],
        "columns": [values[:rows] for values in encoded],
    }
    return LongTable(head, rows, len(names), _json(data))


def _json(data: dict[str, Any]) -> str:
    """Nothing in it can end the element that holds it, or open another."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _without_shared(names: Sequence[str]) -> tuple[list[int], list[str]]:
    """How many letters each name shares with the one before, and the others."""
    shared, cut = [0] * len(names), [0] * len(names)
    for k in range(1, len(names)):
        before, name = names[k - 1], names[k]
        same = next((at for at, (a, b) in enumerate(zip(before, name, strict=False)) if a != b), min(len(before), len(name)))
        # The page's script counts units of 16 bits: two for a letter beyond U+FFFF.
        shared[k] = len(name[:same].encode("utf-16-le")) // 2
        cut[k] = same
    return shared, [name[count:] for name, count in zip(names, cut, strict=True)]
