"""Pairs of micrographs as cards of a gallery."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.compare import Pair
from cryodedup.micrographs.result import MicrographResult
from cryodedup.report.page import data_address

SMALL = 140
"""Pixels along the longer side of a picture, where there are more than a few pairs."""
QUALITY = 55


@dataclass(frozen=True)
class Card:
    """A pair in the gallery. Lengths are shares of the stage, in per cent; the stage holds both pictures where they lie on each other."""

    number: int
    first: str
    second: str
    names: tuple[str, str]
    aspect: float
    places: tuple[tuple[float, float, float, float], tuple[float, float, float, float]]
    overlap: tuple[float, float, float, float]
    facts: list[tuple[str, str]]
    contradicted: bool


def card(result: MicrographResult, names: Sequence[str], k: int, small: bool) -> Card:
    """Of the k-th pair; ``names``: what the micrographs are called, ``small``: whether pictures are reduced further."""
    pair = result.pairs[k]
    size = result.sizes[pair.first] or (1, 1)
    move = (pair.shift_px[0] / size[0], -pair.shift_px[1] / size[1])  # pages count y from the top
    stage = (1 + abs(move[0]), 1 + abs(move[1]))
    corners = [(max(0.0, -move[0]), max(0.0, -move[1])), (max(0.0, move[0]), max(0.0, move[1]))]
    places = [(100 * x / stage[0], 100 * y / stage[1], 100 / stage[0], 100 / stage[1]) for x, y in corners]
    both = (max(x for x, _ in corners), max(y for _, y in corners))
    overlap = (
        100 * both[0] / stage[0],
        100 * both[1] / stage[1],
        100 * max(0.0, 1 - abs(move[0])) / stage[0],
        100 * max(0.0, 1 - abs(move[1])) / stage[1],
    )
    first, second = (_jpeg(result.thumbnails[i], small) for i in (pair.first, pair.second))
    return Card(
        k + 1,
        first,
        second,
        (names[pair.first], names[pair.second]),
        size[0] * stage[0] / (size[1] * stage[1]),
        (places[0], places[1]),
        overlap,
        _facts(result, pair),
        pair.shot_agreement == "contradicted",
    )


def short(names: Sequence[str]) -> Sequence[str]:
    """Names without the directory, if all are in one."""
    parts = [name.rpartition("/") for name in names]
    return [name for _, _, name in parts] if len({directory for directory, _, _ in parts}) == 1 else names


def _jpeg(image: NDArray[np.uint8], small: bool) -> str:
    from PIL import Image

    picture = Image.fromarray(image)
    if small:
        picture.thumbnail((SMALL, SMALL))
    out = BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return data_address(out.getvalue(), "jpeg")


def _facts(result: MicrographResult, pair: Pair) -> list[tuple[str, str]]:
    x, y = (round(shift) + 0.0 for shift in pair.shift_px)
    pixel_a = result.pixel_sizes_a[pair.first]
    in_a = f" = {x * pixel_a:,.0f}, {y * pixel_a:,.0f} Å" if pixel_a else ""
    facts = [
        ("z, q", f"{pair.z:.1f}, {pair.q:.2g}"),
        ("ccc, ncc", f"{pair.ccc:.3f}, {pair.ncc:.3f}"),
        ("overlap", f"{100 * pair.overlap:.0f} %"),
        ("moved by", f"{x:,.0f}, {y:,.0f} px{in_a}"),
    ]
    if pair.rotation_deg or pair.scale != 1:
        facts.append(("rotated, magnified by", f"{pair.rotation_deg:.2f}°, {pair.scale:.4f}"))
    known = [result.exposures.acquisitions[i] for i in (pair.first, pair.second)]
    if any(one.hole for one in known):
        facts.append(("hole, shot", "; ".join(f"{one.hole or '?'}, {one.shot or '?'}" for one in known)))
    if any(map(when, known)):
        facts.append(("taken", "; ".join(when(one) or "?" for one in known)))
    if any(other.shot_agreement for other in result.pairs):
        facts.append(("agreeing shots", pair.shot_agreement or "none"))
    facts.append(("set", str(pair.set) if pair.set else f"none: less than {100 * result.params.least_overlap:g} % in common"))
    return facts


def when(acquisition: Acquisition) -> str:
    """The time of an exposure, where its name or metadata give a date."""
    match acquisition.time:
        case (str(digits),) if len(digits) >= 12 and digits.isdecimal():
            return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]} {digits[8:10]}:{digits[10:12]}"
        case (int(month), str(day), str(hour), str(minute), *_):
            return f"{int(day)} {calendar.month_abbr[month % 12 + 1]} {hour}:{minute}"
    return ""
