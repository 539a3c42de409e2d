"""Long tables as data that the page's script shows a few rows of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from cryodedup.text import shown

MAX_BYTES = 2_000_000
"""A page holds as many rows as this: about 60,000."""


@dataclass(frozen=True)
class Column:
    """A column of a table: numbers, or words of few kinds; ``number``: which."""

    head: str
    values: Sequence[object]
    number: bool = True


@dataclass(frozen=True)
class LongTable:
    """Rows of a page, the most important ones first; ``names`` are the first column.

    ``shown`` is what the script reads: names without what they share with the one before, columns, and words by number.
    """

    head: str
    rows: int
    total: int
    data: str


def long_table(head: str, names: Sequence[str], columns: Sequence[Column], file_name: str) -> LongTable:
    """A table of as many rows as a page should hold; ``file_name``: what it is called when it is saved."""
    shared, rests = _without_shared([shown(name) for name in names])
    words: list[str] = []
    numbers = {}
    encoded = []
    for column in columns:
        if column.number:
            encoded.append(list(column.values))
            continue
        for value in column.values:
            if value not in numbers:
                numbers[value] = len(words)
                words.append(str(value))
        encoded.append([numbers[value] for value in column.values])
    size, rows = 0, 0
    for k in range(len(names)):
        size += len(rests[k].encode()) + 6 + sum(len(str(values[k])) + 1 for values in encoded)
        if size > MAX_BYTES:
            break
        rows += 1
    data = {
        "file": file_name,
        "heads": [head, *(column.head for column in columns)],
        "numbers": [False, *(column.number for column in columns)],
        "words": words,
        "shared": shared[:rows],
        "rests": rests[:rows],
        "columns": [values[:rows] for values in encoded],
    }
    # Nothing in it can end the element that holds it, or open another.
    text = (
        json.dumps(data, separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    )
    return LongTable(head, rows, len(names), text)


def _without_shared(names: Sequence[str]) -> tuple[list[int], list[str]]:
    """How many letters each name shares with the one before, and the others."""
    shared = [0] * len(names)
    for k in range(1, len(names)):
        before, name = names[k - 1], names[k]
        shared[k] = next((at for at, (a, b) in enumerate(zip(before, name, strict=False)) if a != b), min(len(before), len(name)))
    return shared, [name[count:] for name, count in zip(names, shared, strict=True)]
