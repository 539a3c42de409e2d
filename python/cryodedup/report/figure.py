"""A figure of a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryodedup.errors import naming
from cryodedup.report.svg import Drawing, document
from cryodedup.text import shown

MAX_LETTERS, HEAD = 28, 5
"""Maximum number of letters of a name in a figure, and of what is left of a common beginning of long names."""
WIDE = 600.0
"""Wider figures, in CSS pixels, take a whole row of the page."""
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, repr=False)
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

    def save(self, path: Path | str) -> None:
        """Writes the figure as an SVG file, as those in ``figures/`` beside the page."""
        with naming(Path(path)):
            Path(path).write_text(self.file(file_style()), "utf-8")

    def __repr__(self) -> str:
        return shown(f"Figure: {self.caption}")

    def _repr_svg_(self) -> str:
        """The figure as a notebook shows it, on white, whatever the theme."""
        return document(self.panels, within_class(file_style()), class_="cryodedup", style="background:#fff")


def file_style(**others: str) -> str:
    """The style of figures with the colours of a white page filled in, or ``others``: many programs do not support CSS variables."""
    page = (TEMPLATES / "page.css").read_text("utf-8").split("}", maxsplit=1)[0]
    of = {**dict(re.findall(r"--(\w+): (#\w+)", page)), **others}
    return re.sub(r"var\(--(\w+)\)", lambda found: of[found[1]], (TEMPLATES / "figure.css").read_text("utf-8"))


def within_class(style: str) -> str:
    """Rules that apply within the class ``cryodedup`` only, for drawings on the page of another program."""
    return re.sub(r"^(?=\.)", ".cryodedup ", style, flags=re.MULTILINE)


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
