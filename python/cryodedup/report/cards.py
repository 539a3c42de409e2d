"""Cards of the gallery of pairs of micrographs."""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.compare import Pair
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.report.raster import Bytes, Floats, cells_png, jpeg

BYTES_PER_PX, COMPARED_SHARE = 0.37, 2 / 3
"""A pixel of noise in a JPEG picture of these qualities, as text; and the share of the room of what was compared, the rest is for the
micrographs without the filter."""
QUALITY, FILTERED_QUALITY = 55, 40


Rectangle = tuple[float, float, float, float]
"""Left, top, width and height, in per cent of the stage."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """A pair in the gallery.

    The stage holds both pictures, superimposed; ``aspect``: its width divided by its height. ``raw``, ``compared``, ``peak``: addresses of
    the pictures of both, of what was compared of both (None: not at hand), and of the correlation around the shift.
    """

    number: int
    raw: tuple[str, str]
    compared: tuple[str, str] | None
    peak: str
    names: tuple[str, str]
    aspect: float
    frames: tuple[Rectangle, Rectangle]
    overlap: Rectangle
    facts: list[tuple[str, str]]
    contradicted: bool


def card(result: MicrographOutcome, names: Sequence[str], k: int, room: float) -> Card:
    """The card of the k-th pair; ``names``: of all micrographs, ``room``: the bytes of its pictures."""
    pair = result.pairs[k]
    size = result.sizes[pair.first] or (1, 1)
    shift = (pair.shift_px[0] / size[0], -pair.shift_px[1] / size[1])  # pages count y from the top
    both = (pair.first, pair.second)
    views, peak = result.views.pictures, result.views.peaks.get(both)
    frames, overlap = _frames(shift)
    return Card(
        number=k + 1,
        raw=_pictures(result.thumbnails, both, (1 - COMPARED_SHARE) * room, QUALITY),
        compared=None if peak is None else _pictures(views, both, COMPARED_SHARE * room, FILTERED_QUALITY),
        peak="" if peak is None else _peak(peak),
        names=(names[pair.first], names[pair.second]),
        aspect=size[0] * (1 + abs(shift[0])) / (size[1] * (1 + abs(shift[1]))),
        frames=frames,
        overlap=overlap,
        facts=_facts(result, pair),
        contradicted=pair.shot_agreement == "contradicted",
    )


def _pictures(of: Mapping[int, Bytes], both: tuple[int, int], room: float, quality: int) -> tuple[str, str]:
    """The pictures of both, reduced where they would have more than about so many bytes."""
    shrink = min(1.0, (room / BYTES_PER_PX / sum(of[i].size for i in both)) ** 0.5)
    first, second = (jpeg(of[i], longest=round(shrink * max(of[i].shape)), quality=quality) for i in both)
    return first, second


def _peak(values: Floats) -> str:
    """A picture of the correlation around a shift; transparent where the two do not overlap."""
    low, high = np.nanmin(values), np.nanmax(values)
    return cells_png((values - low) / max(float(high - low), 1e-30), cell_px=1)


def _frames(shift: tuple[float, float]) -> tuple[tuple[Rectangle, Rectangle], Rectangle]:
    """The positions of two frames on their stage, and their overlap; ``shift``: of the second, as a share of the frame, y downwards."""
    (x, y), (width, height) = shift, (1 + abs(shift[0]), 1 + abs(shift[1]))
    frames = [
        (100 * left / width, 100 * top / height, 100 / width, 100 / height)
        for left, top in ((max(0, -x), max(0, -y)), (max(0, x), max(0, y)))
    ]
    left, top = (max(one[k] for one in frames) for k in (0, 1))
    return (frames[0], frames[1]), (left, top, 100 * max(0.0, 1 - abs(x)) / width, 100 * max(0.0, 1 - abs(y)) / height)


def short(names: Sequence[str]) -> Sequence[str]:
    """Names without the directory, if all are in one."""
    parts = [name.rpartition("/") for name in names]
    return [name for _, _, name in parts] if len({directory for directory, _, _ in parts}) == 1 else names


def _facts(result: MicrographOutcome, pair: Pair) -> list[tuple[str, str]]:
    x, y = (round(shift) + 0.0 for shift in pair.shift_px)
    pixel_a = result.pixel_sizes_a[pair.first]
    in_a = f" = {x * pixel_a:,.0f}, {y * pixel_a:,.0f} Å" if pixel_a else ""
    facts = [
        ("z, q", f"{pair.z:.1f}, {pair.q:.2g}"),
        ("ccc, ncc", f"{pair.ccc:.3f}, {pair.ncc:.3f}"),
        ("overlap", f"{100 * pair.overlap:.0f} %"),
        ("shift", f"{x:,.0f}, {y:,.0f} px{in_a}"),
    ]
    if pair.rotation_deg or pair.scale != 1:
        facts.append(("rotation, scale", f"{pair.rotation_deg:.2f}°, {pair.scale:.4f}"))
    if pair.orientation:
        facts.append(("second micrograph", pair.orientation))
    known = [result.exposures.acquisitions[i] for i in (pair.first, pair.second)]
    if any(one.hole for one in known):
        facts.append(("hole, shot", "; ".join(f"{one.hole or '?'}, {one.shot or '?'}" for one in known)))
    if any(map(when, known)):
        facts.append(("taken", "; ".join(when(one) or "?" for one in known)))
    if any(other.shot_agreement for other in result.pairs):
        facts.append(("agreeing shots", pair.shot_agreement or "none"))
    facts.append(("set", str(pair.set) if pair.set else f"none: less than {100 * result.params.least_overlap:g} % of the frame shared"))
    return facts


def when(acquisition: Acquisition) -> str:
    """The time of an exposure, where its name or metadata give a date."""
    match acquisition.time:
        case (str(digits),) if len(digits) >= 12 and digits.isdecimal():
            return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]} {digits[8:10]}:{digits[10:12]}"
        case (int(month), str(day), str(hour), str(minute), *_):
            return f"{int(day)} {calendar.month_abbr[month % 12 + 1]} {hour}:{minute}"
    return ""
