"""Warnings about inputs that do not seem to fit together, or to be what they are taken for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.names import named
from cryodedup.params import ParticleParams
from cryodedup.particles.inputs.coincidence import BY_CHANCE, compare, short_distance
from cryodedup.particles.inputs.picks import Floats, Picks
from cryodedup.particles.inputs.pixel_sizes import EQUAL, TOLERANCE, Resolved
from cryodedup.particles.points import Points

MIN_MIRRORED, MIRRORED_RATIO = 20, 3
"""y seems to be counted from different edges if, with y flipped, at least this many particles have a neighbour in another input, and this
many times more than without flipping and than by chance (in two real sets: 1367 with, 64 without)."""
MIN_REACHING, MIN_SHRUNK, SQUARE = 100, 1.4, 1.25
"""Coordinates seem to count larger pixels if, of two inputs with at least this many particles each in the same micrographs, those of one
reach this much farther in both directions, and by about the same factor in both. Two pickers reach equally far to about 5 %."""
MAX_MICROGRAPHS = 500
"""About so many of them, spread over all, are looked at."""
REACH = 0.99
"""How far coordinates reach: this quantile."""
LEVEL = 1.02
"""Distances are rounded up to powers of this number, to count once for many inputs how many particles are beyond them."""
FAR = 2.0
"""Neighbours in a filament are searched for up to this many times the minimum separation."""


def unrelated(picks: Sequence[Picks], shared: NDArray[np.int64]) -> list[str]:
    """Warnings for inputs that have no micrograph in common with any other: most likely their names differ."""
    warnings: list[str] = []
    filled = np.array([len(pick) > 0 for pick in picks])
    in_common = shared > 0
    np.fill_diagonal(in_common, False)
    is_related = in_common[:, filled].any(axis=1)
    for i in np.flatnonzero(filled & ~is_related).tolist():
        other = next((picks[j] for j in np.flatnonzero(filled)[:2].tolist() if j != i), None)
        if other is None or (len(picks) == 2 and warnings):
            continue  # alone, or the other input has the same warning
        names = f"{picks[i].micrographs[0].name} here, {other.micrographs[0].name} in {other.label}"
        uids = " with other uids" if picks[i].micrographs[0].uid and other.micrographs[0].uid else ""
        warnings.append(
            f"{picks[i].label}: no micrograph in common with another input, so none of its particles can be a duplicate of theirs"
            f" ({names}{uids})"
        )
    return warnings


def shrunk(
    picks: Sequence[Picks],
    coordinates_a: Floats,
    micrograph_of: NDArray[np.uint32],
    source_of: NDArray[np.uint32],
    shared: NDArray[np.int64],
) -> list[str]:
    """Warns of inputs that fill only a corner of the micrographs that another one fills: they may count down-sampled pixels."""
    warnings: list[str] = []
    if len(picks) < 2 or not len(micrograph_of):
        return warnings
    some = np.zeros(int(micrograph_of.max()) + 1, bool)
    some[:: max(1, len(some) // MAX_MICROGRAPHS)] = True
    rows = np.flatnonzero(some[micrograph_of])
    bounds = np.searchsorted(source_of[rows], np.arange(len(picks) + 1))
    number = np.cumsum(some) - 1
    inputs = [(coordinates_a[part, :2], number[micrograph_of[part]]) for part in np.split(rows, bounds[1:-1])]
    present, may_reach = _may_reach_farther(inputs, int(some.sum()))
    for i, pick in enumerate(picks):
        for j in np.flatnonzero(may_reach[i] & (shared[i] > 0)).tolist():
            factor = _times_farther(*(inputs[a][0][present[b][inputs[a][1]]] for a, b in ((i, j), (j, i)))) if j != i else None
            if factor is not None:
                warnings.append(
                    f"{pick.label}: its coordinates reach only {100 / factor:.0f} % as far as those of {picks[j].label} in the same"
                    " micrographs, both in x and in y: its coordinates may be in down-sampled pixels, and duplicates are then missed; if"
                    f" so, give {named('pixel_size_a', 'NAME=VALUE')} and {named('pixel_size_override')}"
                )
                break
    return warnings


def _may_reach_farther(
    inputs: Sequence[tuple[Floats, NDArray[np.int64]]], n_micrographs: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which inputs have a micrograph, and for each two whether :func:`_times_farther` may find anything.

    Sums over micrographs rule out nearly all pairs: of 1,000 inputs it took ten minutes to look at each. If more than the farthest
    hundredth of an input's particles in the micrographs of another are at t or beyond, it reaches as far as t; and the other one nowhere
    reaches farther than its two farthest particles.
    """
    counts = np.stack([np.bincount(micrographs, minlength=n_micrographs).astype(np.float32) for _, micrographs in inputs])
    present = counts > 0
    has = present.astype(np.float32)
    common = counts @ has.T
    may_reach = (common >= MIN_REACHING) & (common.T >= MIN_REACHING)
    for axis in (0, 1):
        far = np.array([_farthest(positions[:, axis]) if len(positions) >= MIN_REACHING else 0.0 for positions, _ in inputs])
        may_reach &= far > 0
        levels = np.ceil(np.log(np.maximum(far, 1e-9) / MIN_SHRUNK) / np.log(LEVEL))
        for level in np.unique(levels[far > 0]):
            others = levels == level
            beyond = [
                np.bincount(micrographs[positions[:, axis] >= LEVEL**level], minlength=n_micrographs) for positions, micrographs in inputs
            ]
            may_reach[:, others] &= np.array(beyond, np.float32) @ has[others].T <= (1 - REACH) * common[:, others] + 3
    return present, may_reach


def _farthest(positions: Floats) -> float:
    """More than the quantile of any :data:`MIN_REACHING` or more of them."""
    second, first = np.partition(positions, -2)[-2:]
    return float(second + 2 * (1 - REACH) * (first - second))


def _times_farther(mine: Floats, theirs: Floats) -> float | None:
    """How many times farther coordinates of one input reach than those of another; None: about as far, or not known."""
    if min(len(mine), len(theirs)) < MIN_REACHING:
        return None
    near, far = (np.quantile(positions, REACH, axis=0) for positions in (mine, theirs))
    if near.min() <= 0:
        return None
    factors = far / near
    return float(factors.mean()) if factors.min() > MIN_SHRUNK and factors.max() < SQUARE * factors.min() else None


def two_pixel_sizes(
    picks: Sequence[Picks], sizes: Sequence[Resolved], coordinates_a: Floats, micrograph_of: NDArray[np.uint32], threads: int
) -> list[str]:
    """A warning about micrographs with two pixel sizes in which particles do not coincide.

    Raises
    ------
    InputError
        Pixel sizes that differ as two calibrations do: micrographs that are binned otherwise differ by more.
    """
    if len({float(value) for size in sizes for value in np.unique(size.sizes_a)}) < 2 or not len(micrograph_of):
        return []
    of_each = np.full(len(micrograph_of), np.nan)
    bounds = np.cumsum([0, *map(len, picks)])
    for i, (pick, size) in enumerate(zip(picks, sizes, strict=True)):
        if pick.counted_in == "micrograph" and size.known:
            of_each[bounds[i] : bounds[i + 1]] = size.sizes_a
    rows = np.flatnonzero(~np.isnan(of_each))
    count_of = int(micrograph_of.max()) + 1
    low, high = np.full(count_of, np.inf), np.zeros(count_of)
    np.minimum.at(low, micrograph_of[rows], of_each[rows])
    np.maximum.at(high, micrograph_of[rows], of_each[rows])
    two = high > low * (1 + EQUAL)
    rows = rows[two[micrograph_of[rows]]]
    if not len(rows):
        return []

    def described(row: int) -> str:
        source = int(np.searchsorted(bounds, row, "right")) - 1
        own = picks[source].micrographs[int(picks[source].micrograph_of[row - bounds[source]])]
        return f"{of_each[row]:g} Å for {own.name} in {picks[source].label}"

    calibrated = rows[high[micrograph_of[rows]] <= low[micrograph_of[rows]] * (1 + TOLERANCE)]
    mine = rows[micrograph_of[rows] == micrograph_of[(calibrated if len(calibrated) else rows)[0]]]
    first, second = (described(int(mine[k])) for k in (np.argmin(of_each[mine]), np.argmax(of_each[mine])))
    if len(calibrated):
        raise InputError(
            kind="contradiction",
            found=f"a pixel size of {first}, but {second}",
            expected="one, since they are one exposure",
            remedy=f"give the right one with {named('pixel_size_a')} and {named('pixel_size_override')}",
        )
    side = (of_each[rows] > low[micrograph_of[rows]] * (1 + EQUAL)).astype(np.uint32)
    found = compare(np.ascontiguousarray(coordinates_a[rows, :2]), micrograph_of[rows], side, threads)
    if found.are_one is not False:
        return []
    return [
        f"found a pixel size of {first}, but {second} ({found.words}): treated as one micrograph with two binnings; if these are two"
        " micrographs, run the two sessions separately"
    ]


def mirrored(
    picks: Sequence[Picks],
    sizes: Sequence[Resolved],
    coordinates_a: Floats,
    group_of: NDArray[np.uint32],
    source_of: NDArray[np.uint32],
    params: ParticleParams,
) -> list[str]:
    """A warning if CryoSPARC's particles have many more neighbours in other inputs when their y is counted from the other edge.

    Judged at a short distance, whatever the minimum separation: at a long one, there are as many by chance either way.
    """
    sparc = np.array([pick.heights_px is not None for pick in picks])
    if sparc.all() or not sparc.any() or not len(coordinates_a):
        return []
    turned = coordinates_a.copy()
    for i, (pick, size) in enumerate(zip(picks, sizes, strict=True)):
        if pick.heights_px is not None:
            rows = source_of == i
            turned[rows, 1] = np.asarray(pick.heights_px) * size.sizes_a - coordinates_a[rows, 1]
    distance = short_distance(coordinates_a, group_of)
    met, met_otherwise = (
        int(
            _core.overlaps(Points(positions, group_of), source_of, len(picks), distance, threads=params.threads)[
                np.ix_(sparc, ~sparc)
            ].sum()
        )
        for positions in (coordinates_a, turned)
    )
    by_chance = BY_CHANCE * np.isin(source_of, np.flatnonzero(sparc)).sum()
    if met_otherwise < max(MIN_MIRRORED, MIRRORED_RATIO * met, MIRRORED_RATIO * by_chance):
        return []
    change = "without" if params.flip_y else "with"
    return [
        f"{met:,} particles of CryoSPARC's inputs match one of another input within {distance:.0f} Å, but {met_otherwise:,} would {change}"
        f" {named('flip_y')}: y seems to be counted from opposite edges, so duplicates are missed; repeat the command {change}"
        f" {named('flip_y')}"
    ]


def filament_warnings(picks: Sequence[Picks], coordinates_a: Floats, params: ParticleParams) -> list[str]:
    """A warning if neighbouring segments of a filament lie within the minimum separation."""
    warnings = []
    start = 0
    for pick in picks:
        rows = slice(start, start + len(pick))
        start += len(pick)
        if pick.filaments is None or not len(pick):
            continue
        spacing = _spacing(pick, coordinates_a[rows], params)
        if spacing is not None and spacing <= params.used_separation_a:
            warnings.append(
                f"{pick.label}: segments of a filament ({pick.filaments.field}) are {spacing:.1f} Å apart (median), within the minimum"
                f" separation of {params.used_separation_a:g} Å: neighbours in one filament are rejected as duplicates; choose"
                f" {named('min_separation_a')} below {spacing:.1f}"
            )
    return warnings


def _spacing(pick: Picks, coordinates_a: Floats, params: ParticleParams) -> float | None:
    """The median distance from a segment to the nearest one of its filament, Å; None if half of them or more have none nearby."""
    assert pick.filaments is not None
    keys = np.stack([pick.micrograph_of, pick.filaments.filament_of], axis=1)
    filament_of = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1).astype(np.uint32)
    points = np.ascontiguousarray(coordinates_a)
    nearest = _core.nearest(Points(points, filament_of), FAR * params.used_separation_a, threads=params.threads)
    spacing = float(np.median(nearest))
    return spacing if np.isfinite(spacing) else None
