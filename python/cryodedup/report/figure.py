"""A figure of a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryodedup.report.svg import Drawing, document
from cryodedup.text import shown

MAX_LETTERS, HEAD = 28, 5
"""Maximum number of letters of a name in a figure, and of what is left of a common beginning of long names."""
WIDE = 600.0
"""Wider figures, in CSS pixels, take a whole row of the page."""


@dataclass(frozen=True)
class Figure:
    """A figure: the stem of its file name, its drawings side by side, its caption, and what is said of each of its spots."""

    name: str
    panels: tuple[Drawing, ...]
    caption: str
    spots: tuple[str, ...] = ()

    @property
    def wide(self) -> bool:
        """Whether the letters would be too small in half the width of a page."""
        return self.panels[0].width > WIDE

    def file(self, style: str) -> str:
        """The figure as a separate SVG file."""
        return document(self.panels, style)


def without_directories(names: Sequence[str]) -> Sequence[str]:
    """The ends of paths, of as many parts as make them differ."""
    parts = [name.rstrip("/").split("/") for name in names]
    for count in range(1, max(map(len, parts), default=0)):
        ends = ["/".join(of[-count:]) for of in parts]
        if len(set(ends)) == len(names):
            return ends
    return names


def shortened(names: Sequence[str]) -> list[str]:
    """Names short enough for a figure: first the common beginning is shortened, then the middle."""
    common = _common_beginning(names)
    if max(map(len, names)) > MAX_LETTERS and common > HEAD:
        names = [f"{name[: HEAD - 1]}…{name[common:]}" for name in names]
    half = MAX_LETTERS // 2
    return [shown(name if len(name) <= MAX_LETTERS else f"{name[:half]}…{name[-half + 1 :]}") for name in names]


def _common_beginning(names: Sequence[str]) -> int:
    """How many letters all names begin with; 0 for one name."""
    if len(names) < 2:
        return 0
    return next((k for k, letters in enumerate(zip(*names, strict=False)) if len(set(letters)) > 1), min(map(len, names)))
