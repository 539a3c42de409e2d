"""The centres of all particles in Å, in a coordinate system common to all inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup.errors import InputError
from cryodedup.names import named
from cryodedup.params import ParticleParams
from cryodedup.particles.inputs.micrograph_table import MicrographTable
from cryodedup.particles.inputs.picks import Floats, Picks
from cryodedup.particles.inputs.pixel_sizes import Resolved
from cryodedup.particles.joining import Joined
from cryodedup.text import count, shown

OUTSIDE, MAX_OUTSIDE = 0.05, 0.1
"""If more than a tenth of the particles lie outside the micrograph by more than 5 % of its side, the pixel size is not that of the
coordinates."""
MAX_CHECKED = 50_000
"""Maximum number of particles that are checked, spread over the file."""
TABLE = named("micrographs", "tomograms.star")
SAME_PLACE_A = 0.01
NOT_SET = np.uint64(2**64 - 1)
"""A uid that no particle has, used in place of 0."""


@dataclass(frozen=True, kw_only=True)
class Centres:
    """The centres of the particles of all inputs.

    Attributes
    ----------
    coordinates_a
        float64 (n, 2) or (n, 3), x first.
    sizes
        The pixel sizes of each input.
    shift_key
        The alignment shifts that were applied.
    origins_a
        For each input float64 (micrographs, axes): where its positions are counted from, Å; None: from the corner, as centres are.
    half_vectors_a
        float64 (n, 2): of filaments what leads from the middle, which is the centre, to an end, Å; None: of particles.
    of_jobs
        A warning about shifts that were not, since they may be of several jobs.
    """

    coordinates_a: Floats
    sizes: Sequence[Resolved]
    origins_a: Sequence[Floats | None]
    shift_key: str
    of_jobs: tuple[str, ...] = ()
    half_vectors_a: Floats | None = None

    @property
    def in_angstrom(self) -> bool:
        """Whether all pixel sizes are known."""
        return all(size.known for size in self.sizes)

    @property
    def warnings(self) -> list[str]:
        """The warnings about pixel sizes and shifts."""
        return [*(warning for size in self.sizes for warning in size.warnings), *self.of_jobs]


def centres_of(joined: Joined, params: ParticleParams) -> Centres:
    """Computes the centres of all particles.

    Raises
    ------
    InputError
        No pixel size, or one that does not fit the coordinates; coordinate systems that cannot be joined; centres that are not finite;
        particles of one uid that two inputs align differently.
    """
    picks, table, rows_of, sizes = joined.picks, joined.table, joined.rows_of, joined.sizes
    key, of_jobs = _shift_key(picks, params)
    dimensions = _dimensions(picks)
    bounds = joined.bounds
    coordinates_a = np.empty((bounds[-1], dimensions))
    mixed = _are_mixed(picks)
    origins_a: list[Floats | None] = [None] * len(picks)
    for i, (pick, size) in enumerate(zip(picks, sizes, strict=True)):
        if not len(pick):  # it may have fewer axes than the others
            continue
        mine = coordinates_a[bounds[i] : bounds[i + 1]]
        _set_centres(pick, size.sizes_a, key, mine)
        extents = _extents(pick, table, rows_of[i])
        if mixed and pick.centered:
            origins_a[i] = middles = _middles(pick, extents, picks)[:, :dimensions]
            mine += middles[pick.micrograph_of]
        if size.known and (mixed or not pick.centered):
            _check_extents(pick, extents, mine)
    centres = Centres(
        coordinates_a=coordinates_a,
        sizes=sizes,
        origins_a=origins_a,
        shift_key=key,
        of_jobs=of_jobs,
        half_vectors_a=_half_vectors(picks, sizes),
    )
    _refuse_two_alignments(joined, centres)
    return centres


def _refuse_two_alignments(joined: Joined, centres: Centres) -> None:
    """Refuses particles of one uid that two inputs align differently: the user has to choose one alignment."""
    if centres.shift_key == "none":
        return
    picks, bounds = joined.picks, joined.bounds
    aligned = [(i, pick.uids) for i, pick in enumerate(picks) if pick.uids is not None and pick.shift_keys]
    for k, (i, uids) in enumerate(aligned):
        for j, others in aligned[:k]:
            _, mine, theirs = np.intersect1d(np.where(uids, uids, NOT_SET), others, return_indices=True)
            moved = centres.coordinates_a[bounds[i] + mine] - centres.coordinates_a[bounds[j] + theirs]
            differ = np.abs(moved).max(axis=1, initial=0.0) > SAME_PLACE_A
            if differ.any():
                raise InputError(
                    kind="contradiction",
                    path=picks[i].label,
                    found=f"{count(int(differ.sum()), 'particle')} (by uid) aligned differently in {picks[j].label}",
                    expected="one alignment of each particle",
                    remedy=f"give only one of the two, or use {named('shift_key', 'none')}",
                )


def used_shifts(pick: Picks, shift_key: str) -> tuple[Floats, ...]:
    """The shifts to be subtracted from the positions, Å; empty if none are used."""
    return () if shift_key == "none" else pick.shifts_a(shift_key)


def _shift_key(picks: Sequence[Picks], params: ParticleParams) -> tuple[str, tuple[str, ...]]:
    """The shifts to be used, and a warning if it is uncertain.

    Two classifications have different centres, so that their shifts move true duplicates apart: 2D shifts are used of one job's particles
    alone, whether those of several are in one file or in several.
    """
    if params.used_shift_key == "none":
        return "none", ()
    if params.used_shift_key == "auto":
        if all("alignments3D" in pick.shift_keys for pick in picks):
            return "alignments3D", ()
        if len(picks) > 1 or "alignments2D" not in picks[0].shift_keys:
            return "none", ()
        jobs = picks[0].jobs()
        if len(jobs) < 2:
            return "alignments2D", ()
        return "none", (
            f"{picks[0].label}: images of {len(jobs)} jobs ({', '.join(jobs[:3])}): its 2D shifts are not used, since they may be from"
            " several classifications, whose centres differ; if they are all from one classification, add"
            f" {named('shift_key', 'alignments2D')}",
        )
    for pick in picks:
        if params.used_shift_key not in pick.shift_keys:
            has = f"shifts {', '.join(sorted(pick.shift_keys))}" if pick.shift_keys else "no shifts"
            raise InputError(
                kind="missing", path=pick.label, found=has, expected=f"{params.used_shift_key} ({named('shift_key')}) in every input"
            )
    return params.used_shift_key, ()


def _dimensions(picks: Sequence[Picks]) -> int:
    """3 if there is a z coordinate, else 2. A z that is the same everywhere does not count if other inputs have none."""
    with_z = [pick for pick in picks if len(pick.position) == 3]
    without = [pick for pick in picks if len(pick.position) == 2 and len(pick)]
    if not with_z or not without:
        return 3 if with_z else 2
    deep = next((pick for pick in with_z if len(pick) and np.ptp(pick.position[2]) > 0), None)
    if deep is not None:
        raise InputError(
            kind="contradiction", path=without[0].label, found="coordinates without z", expected=f"x, y and z as in {deep.label}"
        )
    return 2


def _set_centres(pick: Picks, sizes_a: Floats | float, shift_key: str, out: Floats) -> None:
    shifts = used_shifts(pick, shift_key)
    with np.errstate(over="ignore", invalid="ignore"):  # values that are not finite are refused below
        for axis in range(out.shape[1]):
            np.multiply(pick.position[axis], sizes_a, out=out[:, axis])
            if axis < len(shifts):
                out[:, axis] -= shifts[axis]
        if np.isfinite(out.sum()):
            return
    bad = ~np.isfinite(out).all(axis=1)
    if bad.any():
        row = int(bad.argmax())
        values = " ".join(f"{axis} {value:g}" for axis, value in zip("xyz", out[row], strict=False))
        more = f"; {_others(int(bad.sum()) - 1)} also not finite" if bad.sum() > 1 else ""
        raise InputError(
            **pick.where(row).parts, kind="malformed", found=f"a centre at {values} Å", expected=f"finite coordinates and shifts{more}"
        )


def _are_mixed(picks: Sequence[Picks]) -> bool:
    """Whether some inputs count coordinates from the middle of the tomogram and others from a corner."""
    return len({pick.centered for pick in picks if len(pick)}) > 1


def _half_vectors(picks: Sequence[Picks], sizes: Sequence[Resolved]) -> Floats | None:
    """Those of all filaments, Å; None of particles."""
    parts = (
        [
            np.stack(pick.half_vectors, axis=1) * np.reshape(size.sizes_a, (-1, 1))
            for pick, size in zip(picks, sizes, strict=True)
            if len(pick)
        ]
        if any(pick.half_vectors for pick in picks)
        else []
    )
    return np.concatenate(parts) if parts else None


def _extents(pick: Picks, table: MicrographTable | None, rows: Sequence[int | None]) -> Floats:
    """Width, height and depth of each micrograph, Å, float64 (micrographs, 3); NaN where unknown."""
    extents = np.full((len(pick.micrographs), 3), np.nan)
    for row, micrograph in zip(extents, pick.micrographs, strict=True):
        if micrograph.extent_a is not None:
            row[:2] = micrograph.extent_a
    for row, at in zip(extents, rows, strict=True):
        extent = None if at is None or table is None else table.extents_a[at]
        if extent is not None:
            row[: len(extent)] = extent
    return extents


def _middles(pick: Picks, extents: Floats, picks: Sequence[Picks]) -> Floats:
    """Half the size of each tomogram, Å: the offset from its corner to its middle, as RELION 5 defines it."""
    present = np.unique(pick.micrograph_of)
    unknown = present[np.isnan(extents[present]).any(axis=1)]
    if len(unknown):
        other = next(other.label for other in picks if len(other) and not other.centered)
        raise InputError(
            kind="missing",
            path=pick.label,
            found=f"coordinates counted from the middle of the tomogram, but from a corner in {other}",
            expected=f"the sizes of the tomograms to join them, such as that of {pick.micrographs[int(unknown[0])].name}",
            remedy=f"give {TABLE}",
        )
    return 0.5 * extents


def _check_extents(pick: Picks, extents: Floats, coordinates_a: Floats) -> None:
    """Refuses coordinates that lie beyond their micrographs: the pixel size is wrong."""
    axes = coordinates_a.shape[1]
    some = np.arange(0, len(pick), 1 + len(pick) // MAX_CHECKED)
    rows = some[~np.isnan(extents[pick.micrograph_of[some], :axes]).any(axis=1)]
    limits = extents[pick.micrograph_of[rows], :axes]
    beyond = _beyond(coordinates_a[rows], limits)
    if beyond.any() and beyond.sum() > MAX_OUTSIDE * len(rows):
        row = int(np.flatnonzero(beyond)[0])
        centre, limit = (" x ".join(f"{value:.0f}" for value in values[row]) for values in (coordinates_a[rows], limits))
        more = f"; of {len(rows):,} checked particles {_others(int(beyond.sum()) - 1)} also outside" if beyond.sum() > 1 else ""
        micrograph = shown(pick.micrographs[int(pick.micrograph_of[rows[row]])].name)
        raise InputError(
            **pick.where(int(rows[row])).parts,
            kind="contradiction",
            found=f"a centre at {centre} Å in {micrograph}, whose size is {limit} Å",
            expected=f"centres within it{more}: the pixel size is probably wrong",
            remedy=f"set it with {named('pixel_size_a')} and {named('pixel_size_override')}",
        )


def _beyond(coordinates_a: Floats, limits: Floats) -> NDArray[np.bool_]:
    margin = OUTSIDE * limits
    outside = (coordinates_a < -margin) | (coordinates_a > limits + margin)
    return np.asarray(outside.any(axis=1), np.bool_)


def _others(n: int) -> str:
    return "1 other is" if n == 1 else f"{n:,} others are"
