"""Micrographs to be shown: the worst, the median and a random one, with the image behind where it can be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.formats.mrc import open_mrc
from cryodedup.formats.project import find
from cryodedup.particles.inputs.picks import Floats
from cryodedup.particles.result import ParticleOutcome
from cryodedup.pictures import to_bytes

LEAST = 5
"""Particles that a micrograph has to have to be shown."""
SIDE = 480
"""Pixels along the longer side of what is shown of an image."""


@dataclass(frozen=True)
class Example:
    """One micrograph with its particles.

    Attributes
    ----------
    word
        ``worst``, ``median`` or ``random``.
    centres_a, picked_a
        float64 (n, 2) or (n, 3): where particles are, and where they were picked, if shifts moved them, Å.
    kept
        bool (n,).
    extent_a
        Left, right, bottom and top of the frame, Å.
    image
        uint8 (ny, nx), rows from the bottom up; None: no readable file.
    missing
        Why there is no image, if one was to be there.
    marker
        Diameter of a particle's circle, points.
    deep
        Particles have a z, too: some that lie on each other here do not.
    """

    word: str
    name: str
    centres_a: Floats
    picked_a: Floats | None
    kept: NDArray[np.bool_]
    extent_a: tuple[float, float, float, float]
    image: NDArray[np.uint8] | None
    missing: str
    marker: float
    deep: bool


def examples(result: ParticleOutcome) -> list[Example]:
    """The micrograph with the largest share of rejected particles, one in the middle, and a random one, the same every time."""
    micrographs = None if result.params.micrographs is None else Path(result.params.micrographs)
    n = np.bincount(result.micrograph_of, minlength=result.n_micrographs)
    rejected = np.bincount(result.micrograph_of[result.rejected], minlength=result.n_micrographs)
    shown = np.flatnonzero(n >= min(LEAST, int(n.max(initial=0))))
    shown = shown[n[shown] > 0]
    if not len(shown):
        return []
    order = shown[np.lexsort((shown, -rejected[shown], -rejected[shown] / n[shown]))]
    chosen = {"worst": order[0], "median": order[len(order) // 2], "random": np.random.default_rng(result.params.seed).choice(order)}
    found: dict[int, Example] = {}
    for word, number in chosen.items():
        if int(number) not in found:
            found[int(number)] = _example(result, word, int(number), micrographs)
    return list(found.values())


def _example(result: ParticleOutcome, word: str, number: int, micrographs: Path | None) -> Example:
    rows = np.flatnonzero(result.micrograph_of == number)
    source_of = result.joined.source_of[rows]
    source = result.sources[int(source_of[0])]
    at = int(rows[0]) - source.start
    name = source.picks.micrographs[int(source.picks.micrograph_of[at])].name
    pixel_a = float(source.sizes_a[at]) if isinstance(source.sizes_a, np.ndarray) else float(source.sizes_a)
    centres = result.coordinates_a[rows]
    image, size, missing = _image(name, micrographs)
    height = source.picks.heights_px
    low, high = (np.append(bound, 0.0)[:2] for bound in (np.minimum(centres.min(axis=0), 0.0), centres.max(axis=0)))
    margin = 0.03 * float(max(1.0, *(high - low)))
    extent = (
        float(low[0]) - margin * (low[0] < 0),
        float(high[0]) + margin,
        float(low[1]) - margin * (low[1] < 0),
        float(high[1]) + margin,
    )
    if size is not None and not source.picks.in_angstrom:
        extent = (0.0, size[0] * pixel_a, 0.0, size[1] * pixel_a)
    elif height is not None:
        extent = (*extent[:3], pixel_a * float(height[at] if isinstance(height, np.ndarray) else height))
    picked = _picked(result, rows, source_of) if result.centres.shift_key != "none" else None
    marker = 7.0 if len(rows) < 800 else 3.0
    return Example(word, name, centres[:, :2], picked, result.kept[rows], extent, image, missing, marker, deep=centres.shape[1] == 3)


def _picked(result: ParticleOutcome, rows: NDArray[np.int64], source_of: NDArray[np.uint32]) -> Floats:
    """Centres before shifts, Å, shape (n, 2)."""
    picked = np.empty((len(rows), 2))
    for k, source in enumerate(result.sources):
        mine = source_of == k
        at = rows[mine] - source.start
        size = source.sizes_a[at] if isinstance(source.sizes_a, np.ndarray) else source.sizes_a
        for axis in range(2):
            picked[mine, axis] = source.picks.position[axis][at] * size
    return picked


def _image(name: str, micrographs: Path | None) -> tuple[NDArray[np.uint8] | None, tuple[int, int] | None, str]:
    """A reduced image, and the columns and rows of the whole one; or why there is none. Looked up from here and from above the table."""
    if micrographs is None:
        return None, None, ""
    try:
        path = find(micrographs, name)
        if path is None:
            return None, None, "its image was not found"
        header = open_mrc(path)
        width = max(1, -(-max(header.nx, header.ny) // SIDE))
        return to_bytes(_core.reduce_frame(header.frame, bin=width)), (header.nx, header.ny), ""
    except (InputError, OSError) as error:
        return None, None, f"its image could not be read: {error}"
