"""SVG as text. All texts and values are escaped here, once; no element has an id, since several drawings share a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import NewType
from unicodedata import east_asian_width

import numpy as np
from numpy.typing import ArrayLike

from cryodedup.text import shown

Svg = NewType("Svg", str)
"""Escaped markup, as :func:`element`, :func:`text` and :func:`joined` return it; so mypy finds text that is not escaped."""

SIZE, SMALL_SIZE = 12.0, 10.0
"""Font sizes of the classes ``letters`` and ``small`` in ``figure.css``, CSS pixels."""
LETTER, WIDE_LETTER = 0.62, 1.05
"""Width of a letter as a share of the font size, for DejaVu Sans, the widest of the usual fonts: with the others nothing is cut off."""
WIDTH = 460.0
"""Width of most drawings, CSS pixels: letters can be read on a phone, and two drawings fit side by side."""
GAP = 16.0
_READINGS = re.compile(' data-readings="[^"]*"')
"""What only the script of a page reads."""


@dataclass(frozen=True)
class Drawing:
    """A drawing: its unscaled size in CSS pixels, its description in words, and its elements."""

    width: float
    height: float
    alt: str
    body: Svg

    def inline(self) -> Svg:
        """The drawing as an element of a page."""
        return element("svg", self.body, class_="chart", role="img", aria_label=self.alt, viewBox=self._box(), style=self._limit())

    def _box(self) -> str:
        return f"0 0 {number(self.width)} {number(self.height)}"

    def _limit(self) -> str:
        """Limits the width, so that letters have the same size in all drawings, about that of the page around them."""
        return f"width:{number(min(100.0, 100.0 * self.width / WIDTH))}%;max-width:{number(1.2 * self.width)}px"


def document(drawings: Sequence[Drawing], rules: str, **attributes: str) -> str:
    """A separate SVG file: drawings side by side, with style ``rules``; ``attributes``: further ones of its root."""
    width, height = sum(one.width + GAP for one in drawings) - GAP, max(one.height for one in drawings)
    offsets = np.cumsum([0.0, *(one.width + GAP for one in drawings)])
    panels = [
        element("g", element("title", escaped(one.alt)), Svg(_READINGS.sub("", one.body)), transform=f"translate({number(x)} 0)")
        for x, one in zip(offsets[:-1], drawings, strict=True)
    ]
    sizes: dict[str, str | float] = {"width": width, "height": height, "viewBox": f"0 0 {number(width)} {number(height)}"}
    spaces = {"xmlns": "http://www.w3.org/2000/svg", "xmlns:xlink": "http://www.w3.org/1999/xlink"}
    label = "; ".join(one.alt for one in drawings)
    # The style is the project's own; its line ends, which would be replaced in a name, stay.
    return (
        element("svg", element("style", Svg(escape(rules))), *panels, role="img", aria_label=label, **sizes, **spaces, **attributes) + "\n"
    )


def element(tag: str, *content: Svg, **attributes: str | float) -> Svg:
    """An element; ``class_`` gives the attribute ``class``, and ``_`` within a name becomes a hyphen."""
    written = "".join(f' {_named(name)}="{_valued(value)}"' for name, value in attributes.items())
    return Svg(f"<{tag}{written}>{''.join(content)}</{tag}>" if content else f"<{tag}{written}/>")


def text(x: float, y: float, words: str, style: str = "letters", anchor: str = "start", turned: float = 0.0) -> Svg:
    """Words on one line, ``turned`` clockwise by this many degrees about their anchor."""
    turn = {"transform": f"rotate({number(turned)} {number(x)} {number(y)})"} if turned else {}
    return element("text", escaped(words), x=x, y=y, class_=style, text_anchor=anchor, **turn)


def escaped(words: str) -> Svg:
    """Words with markup escaped; characters that cannot be printed are replaced by U+FFFD."""
    return Svg(escape(shown(words)))


def joined(parts: Iterable[Svg]) -> Svg:
    """Joins parts, one after the other."""
    return Svg("".join(parts))


def polyline(x: ArrayLike, y: ArrayLike) -> str:
    """A path through points, with straight lines."""
    return "M" + "L".join(f"{a} {b}" for a, b in zip(short(x), short(y), strict=True))


def stairs(x: ArrayLike, y: ArrayLike) -> str:
    """A path through points, horizontal from each point to the x of the next."""
    across, down = short(x), short(y)
    return f"M{across[0]} {down[0]}" + "".join(f"H{a}V{b}" for a, b in zip(across[1:], down[1:], strict=True))


def short(values: ArrayLike) -> list[str]:
    """Numbers rounded to tenths of a CSS pixel: a path is half as long, and looks the same."""
    return [f"{value:.7g}" for value in (np.round(np.asarray(values, float), 1) + 0.0).tolist()]


def number(value: float) -> str:
    """A number rounded to hundredths."""
    return f"{round(value, 2) + 0.0:.9g}"


def text_width(words: str, size: float = SIZE) -> float:
    """An estimate of the width of words, rather too large."""
    return size * sum(WIDE_LETTER if east_asian_width(char) in "WF" else LETTER for char in words)


def _named(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def _valued(value: str | float) -> str:
    return escape(shown(value)) if isinstance(value, str) else number(value)
