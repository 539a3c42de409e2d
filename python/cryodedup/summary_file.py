"""``summary.json``: valid UTF-8 whatever the names of the files, and readable back to the byte."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryodedup.errors import naming
from cryodedup.text import original, printable

SUMMARY = "summary.json"


def summary_text(summary: Mapping[str, Any]) -> str:
    """The JSON of a summary, of printable characters and newlines only.

    Bytes of names that are not UTF-8 are written as :func:`cryodedup.text.printable` does, other characters that act on a terminal as JSON
    escapes.
    """
    text = json.dumps(with_texts(summary, printable), indent=1, ensure_ascii=False)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)


def write_summary(directory: Path, summary: Mapping[str, Any]) -> None:
    """Writes ``summary.json``."""
    path = directory / SUMMARY
    with naming(path), path.open("w", encoding="utf-8") as file:
        file.write(summary_text(summary) + "\n")


def read_summary(path: Path) -> Any:
    """Returns what a summary holds, with the names as they were.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError, RecursionError
        It is no JSON.
    """
    return with_texts(json.loads(path.read_text("utf-8")), original)


def with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """The same values, however nested, with each text changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {with_texts(key, change): with_texts(one, change) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [with_texts(one, change) for one in value]
    return value
