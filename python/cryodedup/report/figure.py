"""A figure of a page."""

from __future__ import annotations

from dataclasses import dataclass

from cryodedup.report.svg import Drawing, document
from cryodedup.words import shown


@dataclass(frozen=True)
class Figure:
    """A figure: the stem of its file, its drawings side by side, and the sentences below it."""

    name: str
    panels: tuple[Drawing, ...]
    caption: str

    def file(self, style: str) -> str:
        """As an SVG file of its own."""
        return document(self.panels, style)


def shortened(name: str, most: int = 28) -> str:
    """A name that is not too long for a figure."""
    short = name if len(name) <= most else f"{name[: most // 2]}…{name[-(most // 2 - 1) :]}"
    return shown(short)
