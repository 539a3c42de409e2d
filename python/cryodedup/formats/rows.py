"""Pick files without a STAR head: EMAN ``.box`` and Topaz ``.txt``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryodedup import _core
from cryodedup.errors import InputError

BOX_LABELS = ("x", "y", "w", "h", "score")
TOPAZ_LABELS = ("image_name", "x_coord", "y_coord", "score")


def open_boxes(paths: Sequence[Path], threads: int = 0) -> list[_core.Table]:
    """EMAN boxes: x y w h [score ...], x and y of the corner, in pixels; an empty file is a micrograph without picks."""
    labels = [_box_labels(path) for path in paths]
    return _core.scan_rows(paths, [0] * len(paths), labels, numbers=BOX_LABELS, names=(), threads=threads)


def _box_labels(path: Path) -> list[str]:
    with path.open("rb") as file:
        first = next((line.split() for line in file if line.strip()), [b""] * 4)
    if len(first) < 4:
        raise InputError(f"{path}: found a first row of {len(first)} cells, expected 4 or more: x y width height [score]")
    return [*BOX_LABELS, *(f"column_{i + 1}" for i in range(len(BOX_LABELS), len(first)))][: len(first)]


def open_topaz(path: Path, threads: int = 0) -> _core.Table:
    """Topaz picks: a line of column names, then a row a pick; x and y of the centre, in pixels of the image Topaz saw."""
    with path.open("rb") as file:
        head = file.readline()
    labels = head.decode("utf-8", "replace").split()
    if len(set(labels)) != len(labels) or not {"image_name", "x_coord", "y_coord"} <= set(labels):
        raise InputError(f"{path}, line 1: found columns {' '.join(labels)}, expected {' '.join(TOPAZ_LABELS)}")
    names = ("image_name",)
    return _core.scan_rows([path], [len(head)], [labels], numbers=TOPAZ_LABELS[1:], names=names, threads=threads)[0]
