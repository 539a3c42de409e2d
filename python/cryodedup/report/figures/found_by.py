"""Number of particles found by each combination of inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryodedup.particles.result import ParticleOutcome
from cryodedup.report.axes import Axis, Frame, draw_up, margins
from cryodedup.report.charts import RIGHT
from cryodedup.report.figure import Figure, shortened, without_directories
from cryodedup.report.figures.pickers import MAX_SHOWN, names_of_inputs
from cryodedup.report.svg import SIZE, SMALL_SIZE, WIDTH, Drawing, Svg, element, joined, number, text, text_width
from cryodedup.text import count

MAX_COMBINATIONS = 24
"""Maximum number of combinations drawn, the most frequent ones."""


@dataclass(frozen=True, kw_only=True)
class FoundBy:
    """Number of sets of duplicates (a single particle is a set, too) by the inputs that found them.

    ``combinations``: for each, the indices of its inputs in ``names``, the most frequent first; ``sets``: their numbers of sets;
    ``left_out``: number of combinations that are not included.
    """

    names: tuple[str, ...]
    combinations: tuple[tuple[int, ...], ...]
    sets: tuple[int, ...]
    left_out: int


def found_by(result: ParticleOutcome) -> FoundBy | None:
    """The data from a result; None if sets are not known."""
    sets = result.analysis.found_by or {}
    chosen = [(sources, number) for sources, number in sets.items() if max(sources) < MAX_SHOWN][:MAX_COMBINATIONS]
    if not chosen:
        return None
    present = sorted({source for sources, _ in chosen for source in sources})
    row = {source: k for k, source in enumerate(present)}
    names = names_of_inputs(result)
    return FoundBy(
        names=tuple(names[source] for source in present),
        combinations=tuple(tuple(row[source] for source in sources) for sources, _ in chosen),
        sets=tuple(number for _, number in chosen),
        left_out=len(sets) - len(chosen),
    )


def draw(data: FoundBy) -> Figure:
    """Draws bars over dots."""
    drawing = upset(
        data.sets,
        data.combinations,
        shortened(without_directories(data.names)),
        "particles",
        "Bars: particles by the inputs that found them",
    )
    caption = (
        "Number of particles found by the inputs with an orange dot and by no other input. A set of duplicates counts as one particle."
    )
    caption += (
        f" Not shown: {count(data.left_out, 'combination')} that {'is' if data.left_out == 1 else 'are'} rarer, or of further inputs."
        if data.left_out
        else ""
    )
    return Figure("found_by", (drawing,), caption)


HEIGHT, ROW, BELOW = 150.0, 20.0, 14.0
"""Heights of the bars, of a row of dots, and of the gap between, CSS pixels."""
NARROWEST, WIDEST = 20.0, 56.0
"""Limits of the width of a column, CSS pixels."""


def upset(counts: Sequence[int], members: Sequence[Sequence[int]], names: Sequence[str], label: str, alt: str) -> Drawing:
    """Draws a bar for each combination of names; ``members``: the indices of its names; ``label``: what is counted."""
    axis = Axis(label=label, low=0.0, high=float(max(counts)), integer=True)
    left = max(max(map(text_width, names)) + 14, margins(axis, [HEIGHT])[0])
    pitch = min(WIDEST, max(NARROWEST, (WIDTH - left) / len(counts)))
    widest = max(text_width(f"{count:,}", SMALL_SIZE) for count in counts)
    upright = widest > pitch - 4
    frame = Frame(axis, axis, left, (widest if upright else SMALL_SIZE) + 8, pitch * len(counts), HEIGHT)
    bottom = frame.top + HEIGHT + BELOW
    middles = [left + (k + 0.5) * pitch for k in range(len(counts))]
    bars = [_bar(frame, x, pitch, count, upright=upright) for x, count in zip(middles, counts, strict=True)]
    grid = [_dots(x, bottom, len(names), inside) for x, inside in zip(middles, members, strict=True)]
    labels = [text(left - 10, bottom + k * ROW + 0.35 * SIZE, name, anchor="end") for k, name in enumerate(names)]
    body = joined([draw_up(frame), *bars, *grid, *labels])
    return Drawing(left + frame.width + RIGHT, bottom + len(names) * ROW, alt, body)


def _bar(frame: Frame, x: float, pitch: float, count: int, *, upright: bool) -> Svg:
    """A bar with its count above, which is upright if there is not enough room."""
    height = frame.height - float(frame.down(count))
    y = frame.top + frame.height - height
    bar = element("rect", x=x - 0.3 * pitch, y=y, width=0.6 * pitch, height=height, class_="bar fill-first")
    words = f"{count:,}"
    over = text(x + 0.35 * SMALL_SIZE, y - 4, words, "small", turned=-90) if upright else text(x, y - 4, words, "small", "middle")
    return joined([bar, over])


def _dots(x: float, top: float, n: int, members: Sequence[int]) -> Svg:
    """A column of dots; those of the members are joined by a line."""
    rows = [top + k * ROW for k in range(n)]
    inside = [rows[k] for k in members]
    every = [element("circle", cx=x, cy=y, r=4, class_="fill-grey faint") for y in rows]
    line = element("path", d=f"M{number(x)} {number(min(inside))}V{number(max(inside))}", class_="line stroke-second")
    return joined([*every, line, *(element("circle", cx=x, cy=y, r=5, class_="member fill-second") for y in inside)])
