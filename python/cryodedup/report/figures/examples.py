"""Example micrographs: the worst, the median and a random one, with the image if it can be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from cryodedup.pictures import level, to_bytes
from cryodedup.report.figure import without_directories

MIN_PARTICLES = 5
"""Minimum number of particles of an example, if any micrograph has as many."""
SIDE_PX = 1200
"""Maximum number of pixels along the longer side of a reduced image: parts of it are enlarged."""
MARGIN = 0.03
"""Margin around the particles, as a share of their extent, if the frame is not known."""

USUAL_DIAMETER = 0.01
"""Diameter of the circles, as a share of the frame, where the separation is 0."""

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
        ``worst``, ``median`` or ``random``; or else another one that is unique to the micrograph.
    centres_a, picked_a
        float64 (n, 2): centres of the particles, Å, and where they were picked, if shifts were applied.
    source_of
        int64 (n,): the input of each particle; ``inputs``: names of all inputs.
    depths_a
        float64 (n,): z, Å, or None; particles that overlap in the figure may then be far apart.
    diameter_a
        Of the circles.
    kept
        bool (n,): whether each particle is kept.
    duplicate_of
        int64 (n,): for each rejected particle the row of the one that it duplicates; -1 for the others, and where there is none here.
    extent_a
        Left, right, bottom and top of the frame, Å.
    """

    word: str
    name: str
    centres_a: Floats
    depths_a: Floats | None
    picked_a: Floats | None
    diameter_a: float
    source_of: NDArray[np.int64]
    inputs: Sequence[str]
    kept: NDArray[np.bool_]
    duplicate_of: NDArray[np.int64]
    extent_a: Extent
    image: Image


def examples(result: ParticleOutcome) -> list[Example]:
    """The micrographs with the largest and the median share of rejected particles, and a random one, the same every time."""
    n = np.bincount(result.micrograph_of, minlength=result.n_micrographs)
    rejected = np.bincount(result.micrograph_of[result.rejected], minlength=result.n_micrographs)
    n = np.where(rejected > 0, n, 0)
    shown = np.flatnonzero(n >= max(1, min(MIN_PARTICLES, int(n.max(initial=0)))))
    if not len(shown):
        return []
    order = shown[np.lexsort((shown, -rejected[shown], -rejected[shown] / n[shown]))]
    chosen = {"worst": order[0], "median": order[len(order) // 2], "random": np.random.default_rng(result.params.seed).choice(order)}
    words: dict[int, str] = {}
    for word, number in chosen.items():
        words.setdefault(int(number), word)
    return [example_of(result, number, word) for number, word in words.items()]


def numbered(result: ParticleOutcome, name: str) -> int:
    """The number of a micrograph, by its name, or by a part of its path from the right that no other has.

    Raises
    ------
    InputError
        No micrograph with particles, or several, have this name.
    """
    has_particles = np.bincount(result.micrograph_of, minlength=result.n_micrographs) > 0
    wanted = Path(name).parts
    found: dict[int, str] = {}
    for picks, numbers in zip(result.joined.picks, result.joined.matched.numbers, strict=True):
        for micrograph, number in zip(picks.micrographs, numbers, strict=True):
            if has_particles[number] and (micrograph.name == name or Path(micrograph.name).parts[-len(wanted) :] == wanted):
                found.setdefault(int(number), micrograph.name)
    exact = [number for number, full in found.items() if full == name]
    if len(found) != 1 and len(exact) != 1:
        raise _not_one(result, name, list(found.values()))
    return exact[0] if exact else next(iter(found))


def _not_one(result: ParticleOutcome, name: str, found: list[str]) -> InputError:
    if found:
        several = f"{len(found)} micrographs of this name, such as {found[0]}"
        return InputError(kind="ambiguous", field=name, found=several, expected="one", remedy="give more of its path")
    some = [micrograph.name for picks in result.joined.picks for micrograph in picks.micrographs[:2]][:3]
    nothing = "no micrograph of this name with particles"
    return InputError(kind="missing", field=name, found=nothing, expected=f"one, such as {', '.join(some)}")


def example_of(result: ParticleOutcome, number: int, word: str = "") -> Example:
    """One micrograph, by its number, with its particles; ``word``: which of the examples of a page it is."""
    micrographs = None if result.params.micrographs is None else Path(result.params.micrographs)
    rows = np.flatnonzero(result.micrograph_of == number)
    source_of = np.searchsorted([source.start for source in result.sources], rows, "right") - 1
    source, at = result.sources[source_of[0]], int(rows[0]) - result.sources[source_of[0]].start
    name = source.picks.micrographs[int(source.picks.micrograph_of[at])].name
    centres = result.coordinates_a[rows]
    image = Image() if micrographs is None else image_of(name, micrographs, SIDE_PX)
    extent = _extent(result, rows, image.size_px)
    return Example(
        word=word or f"micrograph_{number}",  # no two figures of a notebook may have one name
        name=name,
        centres_a=np.ascontiguousarray(centres[:, :2]),
        depths_a=np.ascontiguousarray(centres[:, 2]) if centres.shape[1] == 3 else None,
        picked_a=_picked(result, rows, source_of) if result.centres.shift_key != "none" else None,
        kept=result.kept[rows],
        duplicate_of=_duplicates_within(result, rows),
        diameter_a=result.params.diameter_a or result.params.used_separation_a or USUAL_DIAMETER * (extent[1] - extent[0]),
        source_of=source_of,
        inputs=[one.picks.label for one in result.sources],
        extent_a=extent,
        image=image,
    )


def _duplicates_within(result: ParticleOutcome, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each of the rows the number, among them, of the particle that it duplicates, or -1."""
    of = result.selection.set_of[rows]
    at = np.minimum(np.searchsorted(rows, of), len(rows) - 1)
    return np.where((of != rows) & (rows[at] == of), at, -1)


def pixel_size_a(result: ParticleOutcome, row: int) -> float | None:
    """The length of a pixel at a particle, in the unit of the coordinates; None where these are not counted in pixels."""
    source = _source_of(result, row)
    return None if source.picks.in_angstrom else float(np.broadcast_to(source.sizes_a, len(source.picks))[row - source.start])


def _source_of(result: ParticleOutcome, row: int) -> Source:
    return next(source for source in result.sources if row < source.rows.stop)


def extents(result: ParticleOutcome, first: NDArray[np.int64], low: Floats, high: Floats) -> Floats:
    """Left, right, bottom and top of micrographs, float64 (m, 4): of their particles and the origin, with a margin.

    At the left and bottom the margin is there only if particles lie below the origin; the height is that of the micrograph if it is known.

    Parameters
    ----------
    first
        int64 (m,): a particle of each.
    low, high
        float64 (m, 2): the least and the largest coordinates of its particles.
    """
    low = np.minimum(low, 0.0)
    margin = MARGIN * np.maximum(1.0, (high - low).max(axis=1))[:, None]
    (left, bottom), (right, top) = (low - margin * (low < 0)).T, (high + margin).T
    for source in result.sources:
        if source.picks.heights_px is not None:
            mine = (first >= source.start) & (first < source.rows.stop)
            at = first[mine] - source.start
            height, size = (np.broadcast_to(value, len(source.picks))[at] for value in (source.picks.heights_px, source.sizes_a))
            top[mine] = height * size
    return np.stack([left, right, bottom, top], axis=1)


def _extent(result: ParticleOutcome, rows: NDArray[np.int64], size_px: tuple[int, int] | None) -> Extent:
    """The extent of the image, if there is one; else that of the particles."""
    pixel_a = pixel_size_a(result, int(rows[0]))
    if size_px is not None and pixel_a is not None:
        return 0.0, size_px[0] * pixel_a, 0.0, size_px[1] * pixel_a
    centres = result.coordinates_a[rows, :2]
    left, right, bottom, top = extents(result, rows[:1], centres.min(axis=0)[None], centres.max(axis=0)[None])[0].tolist()
    return left, right, bottom, top


def _picked(result: ParticleOutcome, rows: NDArray[np.int64], source_of: NDArray[np.int64]) -> Floats:
    """Centres before shifts, Å, shape (n, 2)."""
    picked = np.empty((len(rows), 2))
    for k, source in enumerate(result.sources):
        mine = source_of == k
        at = rows[mine] - source.start
        size = source.sizes_a[at] if isinstance(source.sizes_a, np.ndarray) else source.sizes_a
        origins = result.centres.origins_a[k]
        for axis in range(2):
            origin = 0.0 if origins is None else origins[source.picks.micrograph_of[at], axis]
            picked[mine, axis] = source.picks.position[axis][at] * size + origin
    return picked


def image_of(name: str, micrographs: Path, side_px: int) -> Image:
    """The image, of at most ``side_px`` pixels along the longer side.

    It is searched for from the current directory, and from those above the table of micrographs.
    """
    bases = [Path(), *micrographs.absolute().parents]
    try:
        path = next((base / name for base in bases if name and is_file(base / name)), None)
        if path is None:
            return Image(missing="its image was not found")
        header = open_mrc(path)
        width = max(1, -(-max(header.nx, header.ny) // side_px))
        reduced = level(_core.reduce_frame(header.frame, bin=width))
        return Image(pixels=to_bytes(reduced), size_px=(header.nx, header.ny))
    except (InputError, OSError) as error:
        return Image(missing=f"its image could not be read: {error}")


MAX_SPOTS, MAX_DRAWN = 24, 4000
"""How many are drawn of each micrograph, and particles in all of them; the spots with the most duplicates come first."""
MIN_DIAMETERS = 7.0
"""Least side of a spot, in diameters of the particles."""
DEEP = 1.0
"""In a tomogram, particles of a spot are at most this many diameters above or below it."""
MAX_NAMED = 6


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A spot.

    Attributes
    ----------
    winner
        The particle that the others duplicate; or one that is rejected and duplicates none here.
    duplicates
        int64 (m,): the particles that are rejected for it.
    shown
        int64 (k,): all particles within the window.
    window_a
        Left, right, bottom and top, Å.
    words
        What is kept and what is rejected, and how far apart they are.
    """

    winner: int
    duplicates: NDArray[np.int64]
    shown: NDArray[np.int64]
    window_a: Extent
    words: str


def spots(example: Example, rejected_word: str) -> list[Spot]:
    """The spots of an example, those with the most particles first."""
    rejected = np.flatnonzero(~example.kept | (example.duplicate_of >= 0))
    winner_of = np.where(example.duplicate_of[rejected] >= 0, example.duplicate_of[rejected], rejected)
    # Two that duplicate each other, as with remove_entirely, are one spot.
    mutual = example.duplicate_of[winner_of] == rejected
    winner_of = np.where(mutual, np.minimum(winner_of, rejected), winner_of)
    winners, counts = np.unique(winner_of, return_counts=True)
    found: list[Spot] = []
    for winner in winners[np.lexsort((winners, -counts))][:MAX_SPOTS].tolist():
        found.append(_spot(example, winner, rejected[(winner_of == winner) & (rejected != winner)], rejected_word))
        if sum(len(spot.shown) for spot in found) > MAX_DRAWN:
            break
    return found


def all_spots(example: Example) -> int:
    """How many spots there are, shown or not, about: two that duplicate each other count as two."""
    return len(np.unique(example.duplicate_of[example.duplicate_of >= 0]))


def _spot(example: Example, winner: int, duplicates: NDArray[np.int64], rejected_word: str) -> Spot:
    members = np.append(duplicates, winner)
    points = example.centres_a[members]
    low, high = points.min(axis=0), points.max(axis=0)
    left, right, bottom, top = example.extent_a
    side = max(MIN_DIAMETERS * example.diameter_a, float((high - low).max()) + 3.0 * example.diameter_a)
    half = 0.5 * min(side, max(right - left, top - bottom))
    x, y = 0.5 * (low + high)
    window = (float(x - half), float(x + half), float(y - half), float(y + half))
    return Spot(winner=winner, duplicates=duplicates, shown=_within(example, window, members), window_a=window,
                words=_words(example, winner, duplicates, rejected_word))  # fmt: skip


def _within(example: Example, window: Extent, members: NDArray[np.int64]) -> NDArray[np.int64]:
    left, right, bottom, top = window
    reach = 0.5 * example.diameter_a
    x, y = example.centres_a.T
    inside = (x > left - reach) & (x < right + reach) & (y > bottom - reach) & (y < top + reach)
    if example.depths_a is not None:
        depths = example.depths_a[members]
        beyond = DEEP * example.diameter_a
        inside &= (example.depths_a >= depths.min() - beyond) & (example.depths_a <= depths.max() + beyond)
    inside[members] = True
    return np.flatnonzero(inside)


def _words(example: Example, winner: int, duplicates: NDArray[np.int64], rejected_word: str) -> str:
    """Returns what is kept and what is rejected."""
    named = named_by_input(example)
    if not len(duplicates):
        return f"Rejected: {named(winner)}. No kept particle of this micrograph is its duplicate."
    positions = example.centres_a if example.depths_a is None else np.column_stack([example.centres_a, example.depths_a])
    apart = np.linalg.norm(positions[duplicates] - positions[winner], axis=1)
    nearest = np.argsort(apart, kind="stable")
    listed = ", ".join(f"{named(int(duplicates[k]))} ({apart[k]:.1f} Å away)" for k in nearest[:MAX_NAMED])
    more = f", and {len(duplicates) - MAX_NAMED} more" if len(duplicates) > MAX_NAMED else ""
    best = "Best" if rejected_word == "duplicates" else "Kept"
    if not example.kept[winner]:
        return f"{rejected_word.capitalize()}: {named(winner)}, and {listed}{more}."
    return f"{best}: {named(winner)}. {rejected_word.capitalize()}: {listed}{more}."


def named_by_input(example: Example) -> Callable[[int], str]:
    """How a particle is called: by its input, if there are several."""
    names = without_directories(example.inputs)
    return (lambda i: names[int(example.source_of[i])]) if len(names) > 1 else (lambda i: "1 particle")
