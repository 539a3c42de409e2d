"""Example micrographs: the worst, the median and a random one, with the image if it can be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.formats.mrc import open_mrc
from cryodedup.formats.project import is_file
from cryodedup.particles.inputs.picks import Floats
from cryodedup.particles.result import ParticleOutcome, Source
from cryodedup.pictures import to_bytes

MIN_PARTICLES = 5
"""Minimum number of particles of an example, if any micrograph has as many."""
SIDE_PX = 480
"""Maximum number of pixels along the longer side of a reduced image."""
MARGIN = 0.03
"""Margin around the particles, as a share of their extent, if the frame is not known."""

Extent = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Image:
    """The image of a micrograph, uint8 (ny, nx), rows from the bottom up, or None; ``size_px``: columns and rows of the full image.

    ``missing``: why there is no image although one was expected.
    """

    pixels: NDArray[np.uint8] | None = None
    size_px: tuple[int, int] | None = None
    missing: str = ""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One micrograph with its particles.

    Attributes
    ----------
    word
        ``worst``, ``median`` or ``random``.
    centres_a, picked_a
        float64 (n, 2): centres of the particles, Å, and where they were picked, if shifts were applied.
    kept
        bool (n,): whether each particle is kept.
    extent_a
        Left, right, bottom and top of the frame, Å.
    seen_along_z
        Whether the particles also have a z coordinate; those that overlap in the figure may be far apart.
    """

    word: str
    name: str
    centres_a: Floats
    picked_a: Floats | None
    kept: NDArray[np.bool_]
    extent_a: Extent
    image: Image
    seen_along_z: bool


def examples(result: ParticleOutcome) -> list[Example]:
    """The micrographs with the largest and the median share of rejected particles, and a random one, the same every time."""
    micrographs = None if result.params.micrographs is None else Path(result.params.micrographs)
    n = np.bincount(result.micrograph_of, minlength=result.n_micrographs)
    rejected = np.bincount(result.micrograph_of[result.rejected], minlength=result.n_micrographs)
    shown = np.flatnonzero(n >= max(1, min(MIN_PARTICLES, int(n.max(initial=0)))))
    if not len(shown):
        return []
    order = shown[np.lexsort((shown, -rejected[shown], -rejected[shown] / n[shown]))]
    chosen = {"worst": order[0], "median": order[len(order) // 2], "random": np.random.default_rng(result.params.seed).choice(order)}
    words: dict[int, str] = {}
    for word, number in chosen.items():
        words.setdefault(int(number), word)
    return [_example(result, word, number, micrographs) for number, word in words.items()]


def _example(result: ParticleOutcome, word: str, number: int, micrographs: Path | None) -> Example:
    rows = np.flatnonzero(result.micrograph_of == number)
    source_of = np.searchsorted([source.start for source in result.sources], rows, "right") - 1
    source, at = result.sources[source_of[0]], int(rows[0]) - result.sources[source_of[0]].start
    name = source.picks.micrographs[int(source.picks.micrograph_of[at])].name
    centres = result.coordinates_a[rows]
    image = _image(name, micrographs)
    return Example(
        word=word,
        name=name,
        centres_a=np.ascontiguousarray(centres[:, :2]),
        picked_a=_picked(result, rows, source_of) if result.centres.shift_key != "none" else None,
        kept=result.kept[rows],
        extent_a=_extent(source, at, centres, image.size_px),
        image=image,
        seen_along_z=centres.shape[1] == 3,
    )


def _extent(source: Source, at: int, centres: Floats, size_px: tuple[int, int] | None) -> Extent:
    """The extent of the image; or of the particles, with the height of the micrograph if it is known."""
    pixel_a = float(source.sizes_a[at]) if isinstance(source.sizes_a, np.ndarray) else float(source.sizes_a)
    if size_px is not None and not source.picks.in_angstrom:
        return 0.0, size_px[0] * pixel_a, 0.0, size_px[1] * pixel_a
    left, right, bottom, top = _around(centres)
    height = source.picks.heights_px
    if height is not None:
        top = pixel_a * float(height[at] if isinstance(height, np.ndarray) else height)
    return left, right, bottom, top


def _around(centres: Floats) -> Extent:
    """The extent of the particles and the origin, with a margin (at the left and bottom only if particles lie below the origin)."""
    low, high = (np.append(bound, 0.0)[:2] for bound in (np.minimum(centres.min(axis=0), 0.0), centres.max(axis=0)))
    margin = MARGIN * float(max(1.0, *(high - low)))
    left, bottom = (float(value) - margin * (value < 0) for value in low)
    return left, float(high[0]) + margin, bottom, float(high[1]) + margin


def _picked(result: ParticleOutcome, rows: NDArray[np.int64], source_of: NDArray[np.int64]) -> Floats:
    """Centres before shifts, Å, shape (n, 2)."""
    picked = np.empty((len(rows), 2))
    for k, source in enumerate(result.sources):
        mine = source_of == k
        at = rows[mine] - source.start
        size = source.sizes_a[at] if isinstance(source.sizes_a, np.ndarray) else source.sizes_a
        for axis in range(2):
            picked[mine, axis] = source.picks.position[axis][at] * size
    return picked


def _image(name: str, micrographs: Path | None) -> Image:
    """The image, searched for from the current directory, and from those above the table of micrographs."""
    if micrographs is None:
        return Image()
    bases = [Path(), *micrographs.absolute().parents]
    try:
        path = next((base / name for base in bases if name and is_file(base / name)), None)
        if path is None:
            return Image(missing="its image was not found")
        header = open_mrc(path)
        width = max(1, -(-max(header.nx, header.ny) // SIDE_PX))
        return Image(pixels=to_bytes(_core.reduce_frame(header.frame, bin=width)), size_px=(header.nx, header.ny))
    except (InputError, OSError) as error:
        return Image(missing=f"its image could not be read: {error}")
