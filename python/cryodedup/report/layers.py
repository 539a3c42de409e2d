"""Layers drawn within axes: lines, histograms, points. A layer has a colour, named as in ``figure.css``, and may have a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from cryodedup.report.axes import Floats, Frame
from cryodedup.report.raster import dots_png
from cryodedup.report.svg import SIZE, Svg, element, joined, number, polyline, short, stairs, text

Paint = Literal["first", "second", "third", "fourth", "fifth", "mark", "grey"]
Dash = Literal["", "dashed", "dotted"]

MAX_POINTS = 6000
"""More points are drawn as one raster picture, with two pixels per CSS pixel: in a path they take 12 bytes each and slow browsers down."""
MAX_CIRCLES = 1500
"""More circles would overlap, and are drawn as points."""
SWATCH = 18.0
"""Width of a swatch in a legend, CSS pixels."""


@dataclass(frozen=True, kw_only=True)
class Readings:
    """Holds what a page shows of a layer under the mouse.

    ``x`` ascending and ``y`` of the same length, or with one x more (limits of bins); or ``names`` of points, which may lie anywhere.
    """

    label: str
    x: Floats
    y: Floats
    names: Sequence[str] = ()

    def plain(self) -> dict[str, object]:
        """For JSON."""
        numbers = {key: [float(f"{value:.5g}") for value in values.tolist()] for key, values in (("x", self.x), ("y", self.y))}
        return {"label": self.label, **numbers, **({"names": list(self.names)} if self.names else {})}


MAX_READINGS = 1500
"""Layers with more points show none: the page would grow."""


class Layer(Protocol):
    """One layer within axes; it may have ``readings``."""

    @property
    def label(self) -> str:
        """Its label in the legend; empty: none."""

    def draw(self, frame: Frame) -> Svg:
        """Its elements, in coordinates from the upper left corner of the frame."""

    def swatch(self) -> Svg:
        """Its symbol in a legend, of at most ``SWATCH`` by ``SIZE``."""


def line_swatch(style: str) -> Svg:
    """A short line with these CSS classes, for a legend."""
    return element("path", d=f"M0 {SIZE / 2:g}h{SWATCH:g}", class_=style)


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line through points; ``marked``: with a dot at each point; ``stepped``: horizontal up to the next point."""

    x: Floats
    y: Floats
    paint: Paint
    dash: Dash = ""
    marked: bool = False
    stepped: bool = False
    label: str = ""

    def style(self) -> str:
        return f"line stroke-{self.paint} {self.dash}".strip()

    def readings(self) -> Readings | None:
        order = np.argsort(self.x, kind="stable")
        if not (self.label or self.marked):
            return None
        return Readings(label=self.label, x=self.x[order], y=self.y[order])

    def swatch(self) -> Svg:
        return line_swatch(self.style())

    def draw(self, frame: Frame) -> Svg:
        x, y = frame.across(self.x), frame.down(self.y)
        if not len(x):
            return Svg("")
        path = element("path", d=stairs(x, y) if self.stepped else polyline(x, y), class_=self.style())
        return (
            joined([path, element("path", d=_points(x, y), class_=f"points stroke-{self.paint}", stroke_width=5)]) if self.marked else path
        )


@dataclass(frozen=True, kw_only=True)
class Steps:
    """A histogram: counts between edges, as an outline, or ``filled`` down to the axis."""

    edges: Floats
    counts: NDArray[np.integer] | Floats
    paint: Paint
    filled: bool = False
    label: str = ""

    def style(self) -> str:
        return f"area fill-{self.paint}" if self.filled else f"line stroke-{self.paint}"

    def readings(self) -> Readings:
        return Readings(label=self.label, x=self.edges, y=np.asarray(self.counts, np.float64))

    def swatch(self) -> Svg:
        return element("rect", x=0, y=1, width=SWATCH, height=SIZE - 2, class_=self.style()) if self.filled else line_swatch(self.style())

    def draw(self, frame: Frame) -> Svg:
        x, y = short(frame.across(self.edges)), short(frame.down(self.counts))
        bottom = number(frame.height)
        outline = "".join(f"V{height}H{right}" for height, right in zip(y, x[1:], strict=True))
        return element("path", d=f"M{x[0]} {bottom}{outline}V{bottom}{'Z' if self.filled else ''}", class_=self.style())


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Lines across the whole frame, at values of one axis."""

    at: Floats
    paint: Paint = "mark"
    dash: Dash = "dashed"
    horizontal: bool = False
    faint: bool = False
    label: str = ""

    def style(self) -> str:
        return f"line stroke-{self.paint} {self.dash} {'faint' if self.faint else ''}".strip()

    def swatch(self) -> Svg:
        return line_swatch(self.style())

    def draw(self, frame: Frame) -> Svg:
        if self.horizontal:
            path = "".join(f"M0 {y}h{number(frame.width)}" for y in short(frame.down(self.at)))
        else:
            path = "".join(f"M{x} 0v{number(frame.height)}" for x in short(frame.across(self.at)))
        return element("path", d=path, class_=self.style()) if path else Svg("")


@dataclass(frozen=True, kw_only=True)
class Points:
    """Dots, or squares, of ``size`` CSS pixels. ``colour``: used instead of ``paint``, as ``#rrggbb``; ``names``: of the dots, if any."""

    x: Floats
    y: Floats
    paint: Paint = "first"
    size: float = 4.0
    square: bool = False
    colour: str = ""
    names: Sequence[str] = ()
    label: str = ""

    def readings(self) -> Readings | None:
        return Readings(label=self.label, x=self.x, y=self.y, names=self.names) if self.names else None

    def swatch(self) -> Svg:
        return self._dots(f"M{SWATCH / 2:g} {SIZE / 2:g}h0.01", 6.0)

    def draw(self, frame: Frame) -> Svg:
        x, y = frame.across(self.x), frame.down(self.y)
        if not len(x):
            return Svg("")
        if len(x) > MAX_POINTS:
            return _picture(dots_png(x, y, frame.width, frame.height, self.size, self.colour or self.paint), frame.width, frame.height)
        return self._dots(_points(x, y), self.size)

    def _dots(self, path: str, size: float) -> Svg:
        style = ("squares" if self.square else "points") + ("" if self.colour else f" stroke-{self.paint}")
        colour: dict[str, str] = {"stroke": self.colour} if self.colour else {}
        return element("path", d=path, class_=style, stroke_width=size, **colour)


@dataclass(frozen=True, kw_only=True)
class Circles:
    """Open circles, so that the image below them remains visible."""

    x: Floats
    y: Floats
    paint: Paint
    radius: float
    dash: Dash = ""
    label: str = ""

    def style(self) -> str:
        return f"line stroke-{self.paint} {self.dash}".strip()

    def swatch(self) -> Svg:
        return element("circle", cx=SWATCH / 2, cy=SIZE / 2, r=4, class_=self.style())

    def draw(self, frame: Frame) -> Svg:
        if len(self.x) > MAX_CIRCLES:
            return Points(x=self.x, y=self.y, paint=self.paint, size=self.radius).draw(frame)
        x, y = short(frame.across(self.x)), short(frame.down(self.y))
        circles = [Svg(f'<circle cx="{a}" cy="{b}" r="{number(self.radius)}"/>') for a, b in zip(x, y, strict=True)]
        return element("g", *circles, class_=self.style()) if circles else Svg("")


@dataclass(frozen=True, kw_only=True)
class Crosses:
    """Diagonal crosses of ``size`` CSS pixels."""

    x: Floats
    y: Floats
    paint: Paint
    size: float = 6.0
    label: str = ""

    def swatch(self) -> Svg:
        return self._crosses(np.array([SWATCH / 2]), np.array([SIZE / 2]), 6.0)

    def draw(self, frame: Frame) -> Svg:
        if len(self.x) > MAX_CIRCLES:
            return Points(x=self.x, y=self.y, paint=self.paint, size=0.5 * self.size, square=True).draw(frame)
        return self._crosses(frame.across(self.x), frame.down(self.y), self.size)

    def _crosses(self, x: Floats, y: Floats, size: float) -> Svg:
        arm = f"l{number(size)} {number(size)}m0 {number(-size)}l{number(-size)} {number(size)}"
        path = "".join(f"M{a} {b}{arm}" for a, b in zip(short(x - 0.5 * size), short(y - 0.5 * size), strict=True))
        return element("path", d=path, class_=f"line stroke-{self.paint}") if path else Svg("")


@dataclass(frozen=True, kw_only=True)
class Words:
    """The same short text beside each point, ``off`` CSS pixels away: to the right and downwards."""

    x: Floats
    y: Floats
    text: str
    paint: Paint
    off: tuple[float, float]
    label: str = ""

    def swatch(self) -> Svg:
        return Svg("")

    def draw(self, frame: Frame) -> Svg:
        positions = zip(frame.across(self.x).tolist(), frame.down(self.y).tolist(), strict=True)
        right, down = self.off
        return joined(text(x + right, y + down + 3, self.text, f"small fill-{self.paint}", anchor="middle") for x, y in positions)


@dataclass(frozen=True, kw_only=True)
class Strokes:
    """Straight lines from (``x``, ``y``) to (``to_x``, ``to_y``)."""

    x: Floats
    y: Floats
    to_x: Floats
    to_y: Floats
    paint: Paint
    label: str = ""

    def swatch(self) -> Svg:
        return line_swatch(f"line stroke-{self.paint}")

    def draw(self, frame: Frame) -> Svg:
        columns = [short(values) for values in (frame.across(self.x), frame.down(self.y), frame.across(self.to_x), frame.down(self.to_y))]
        path = "".join(f"M{a} {b}L{c} {d}" for a, b, c, d in zip(*columns, strict=True))
        return element("path", d=path, class_=f"line stroke-{self.paint}") if path else Svg("")


@dataclass(frozen=True, kw_only=True)
class Arrows(Strokes):
    """The same with a head at (``to_x``, ``to_y``)."""

    HEAD = 4.0

    def swatch(self) -> Svg:
        return Svg("")

    def draw(self, frame: Frame) -> Svg:
        start = np.stack([frame.across(self.x), frame.down(self.y)])
        end = np.stack([frame.across(self.to_x), frame.down(self.to_y)])
        along = end - start
        along = along / np.maximum(np.hypot(*along), 1e-9) * np.minimum(self.HEAD, np.hypot(*along))
        barbs = [end - 0.87 * along + side * 0.5 * along[::-1] * np.array([[1.0], [-1.0]]) for side in (1, -1)]
        columns = [short(values) for points in (start, end, *barbs) for values in points]
        path = "".join(f"M{a} {b}L{c} {d}M{e} {f}L{c} {d}L{g} {h}" for a, b, c, d, e, f, g, h in zip(*columns, strict=True))
        return element("path", d=path, class_=f"line stroke-{self.paint}") if path else Svg("")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A raster picture, given as a data URL, over a range of both axes: left, right, bottom, top.

    An address that begins with ``#`` is the id of a picture of one CSS pixel a side that another drawing of the page holds.
    """

    address: str
    extent: tuple[float, float, float, float]
    opacity: float = 1.0
    label: str = ""

    def swatch(self) -> Svg:
        return Svg("")

    def draw(self, frame: Frame) -> Svg:
        # Not by the axes' shares, which end a little beyond the frame.
        left, right = (frame.width * (x - frame.x.low) / (frame.x.high - frame.x.low) for x in self.extent[:2])
        bottom, top = (frame.height * (frame.y.high - y) / (frame.y.high - frame.y.low) for y in self.extent[2:])
        if self.address.startswith("#"):
            transform = f"translate({left:.9g} {top:.9g}) scale({right - left:.9g} {bottom - top:.9g})"
            return element("use", transform=transform, opacity=self.opacity, **{"xlink:href": self.address})
        return element("g", _picture(self.address, right - left, bottom - top, left, top), opacity=self.opacity)


def shared_picture(name: str, address: str) -> Svg:
    """A picture of one CSS pixel a side, to be drawn by any number of :class:`Picture`: its data are in the page once."""
    image = element("image", id=name, width=1, height=1, preserveAspectRatio="none", **{"xlink:href": address})
    return element("defs", image)


def _picture(address: str, width: float, height: float, x: float = 0.0, y: float = 0.0) -> Svg:
    address_of = {"xlink:href": address}  # not href, which LibreOffice and older presentation programs do not support
    return element("image", x=x, y=y, width=width, height=height, preserveAspectRatio="none", **address_of)


def _points(x: Floats, y: Floats) -> str:
    """A path of lines of almost no length, whose round caps are the dots."""
    return "".join(f"M{a} {b}h.01" for a, b in zip(short(x), short(y), strict=True))
