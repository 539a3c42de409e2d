"""Particles of RELION and Warp tables.

Conventions (RELION's source and real files): the centre is the coordinate minus the origin; before 3.1 origins are in pixels of the
particle image, later in Å; in tomograms the origin is first rotated by the subtomogram's own angles. The pixels
that coordinates are counted in are found by :mod:`cryodedup.particles.inputs.relion_pixels`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cryodedup.errors import InputError, UnknownPixelSizeError
from cryodedup.formats.star import Columns, has_coordinates
from cryodedup.names import named
from cryodedup.particles.inputs.picks import Filaments, Floats, Halves, Micrograph, Picks, Scores, jobs_of
from cryodedup.particles.inputs.relion_pixels import PIXEL_SIZES, check_optics, counted_in, pixel_sizes, positive
from cryodedup.particles.inputs.scores import UNSET_FIGURES_OF_MERIT, candidates, missing_score
from cryodedup.units import image_pixel_size_a

if TYPE_CHECKING:
    from cryodedup.formats.output import Output
    from cryodedup.params import ParticleParams

FIGURE_OF_MERIT = "rlnAutopickFigureOfMerit"
COORDINATES = "rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ"
CENTERED_COORDINATES = "rlnCenteredCoordinateXAngst", "rlnCenteredCoordinateYAngst", "rlnCenteredCoordinateZAngst"
ORIGINS_A = "rlnOriginXAngst", "rlnOriginYAngst", "rlnOriginZAngst"
ORIGINS_PX = "rlnOriginX", "rlnOriginY", "rlnOriginZ"
SUBTOMOGRAM_ANGLES = "rlnTomoSubtomogramRot", "rlnTomoSubtomogramTilt", "rlnTomoSubtomogramPsi"
IMAGE_SCALE = "rlnMagnification", "rlnDetectorPixelSize", "rlnPixelSize"
MICROGRAPH_NAMES = "rlnTomoName", "rlnMicrographName"
UNSET_NAMES = {"", "none", "null"}
"""What programs write where they do not know the micrograph."""
TUBE = "rlnHelicalTubeID"
IMAGE = "rlnImageName"
SERIES, TILT_WEIGHTS = "rlnGroupName", ("rlnCtfScalefactor", "rlnCtfBfactor")
"""What names the particle of a tilt image in particle series, and columns that weight the tilts, where the program writes them."""
MATCH_SCORE = "rlnLCCmax"
"""The score of pytom-match-pick."""
HALF = "rlnRandomSubset"
ANGLES = "rlnAngleRot", "rlnAngleTilt"
BATCH = 1 << 16
JOBS_LOOKED_AT = 1000
"""Rows, spread over the table, whose images tell of how many jobs it is."""

NAMES = (*MICROGRAPH_NAMES, *PIXEL_SIZES, "rlnOpticsGroup", TUBE)


def numbers(params: ParticleParams) -> list[str]:
    """The columns to be read as numbers."""
    columns = [*COORDINATES, *CENTERED_COORDINATES, HALF, *IMAGE_SCALE]
    if params.used_shift_key != "none":
        columns += [*ORIGINS_A, *ORIGINS_PX, *SUBTOMOGRAM_ANGLES]
    if params.score_field == "auto":
        columns += [FIGURE_OF_MERIT, MATCH_SCORE]
    elif params.score_field != "none":
        columns += candidates(params.score_field)
    return columns


def read(columns: Columns, params: ParticleParams, output: Output, name: str | None = None) -> Picks:
    """The particles of a table; ``name``: the micrograph of a table that does not give it."""
    if not has_coordinates(label for label in (*COORDINATES, *CENTERED_COORDINATES) if label in columns):
        raise InputError(
            kind="missing",
            path=columns.label,
            found="no location columns",
            expected=f"{COORDINATES[0]} and {COORDINATES[1]}, or {CENTERED_COORDINATES[0]}...",
        )
    centered = CENTERED_COORDINATES[0] in columns
    _refuse_tilt_images(columns)
    check_optics(columns.label, columns.optics)
    _check_columns(columns, centered)
    position = tuple(columns.numbers(label) for label in (CENTERED_COORDINATES if centered else COORDINATES) if label in columns)
    if not centered:
        _refuse_fractions(columns, position)
    micrograph_label = next((label for label in MICROGRAPH_NAMES if label in columns), None)
    warnings = []
    micrograph_of, names = columns.names(micrograph_label) if micrograph_label is not None else (None, [])
    if micrograph_of is None or (len(columns) and {name.strip("'\"").lower() for name in names} <= UNSET_NAMES):
        micrograph_of, names = np.zeros(len(columns), np.uint32), [name or columns.label]
        if name is None:
            _refuse_several_stacks(columns)
            warnings.append(f"{columns.label}: no rlnMicrographName or rlnTomoName: all its particles are put into one micrograph")
    warnings += _subtracted(columns)
    counted = "angstrom" if centered else counted_in(columns, names, deep=len(position) == 3, of_one=name is not None)
    pixel_size_of, sizes = (None, []) if centered else pixel_sizes(columns, counted)
    origins = _Origins(columns, len(position))
    warnings += origins.warnings if params.used_shift_key != "none" else []
    return Picks(
        label=columns.label,
        format="RELION STAR",
        micrographs=[Micrograph(name=name) for name in names],
        micrograph_of=micrograph_of,
        stored=position,
        position=position,
        centered=centered,
        counted_in=counted,
        pixel_sizes=sizes,
        pixel_size_of=pixel_size_of,
        shift_keys=origins.shift_keys,
        shifts_a=origins.shifts_a,
        release=origins.release,
        scores=score(columns, params, (FIGURE_OF_MERIT, MATCH_SCORE)),
        images=partial(columns.some, IMAGE) if IMAGE in columns else None,
        jobs=partial(_jobs, columns),
        halves=_halves(columns.take(HALF)) if HALF in columns else None,
        filaments=Filaments(field=TUBE, filament_of=columns.names(TUBE)[0]) if TUBE in columns else None,
        output=output,
        where=columns.where,
        warnings=warnings,
    )


def _check_columns(columns: Columns, centered: bool) -> None:
    """Refuses columns that have a meaning only together with others that are missing."""
    for labels in (CENTERED_COORDINATES if centered else (), SUBTOMOGRAM_ANGLES):
        present, missing = ([label for label in labels if (label in columns) == there] for there in (True, False))
        if present and missing:
            raise InputError(kind="missing", path=columns.label, found=f"{present[0]} without {missing[0]}", expected=", ".join(labels))


def _refuse_tilt_images(columns: Columns) -> None:
    """Refuses Warp's and M's particle series, with a row for each tilt image: their positions are projections, in one tilt image each."""
    if COORDINATES[2] in columns or not all(label in columns for label in (SERIES, "rlnMicrographName")):
        return
    series_of, series = columns.all_names(SERIES)
    image_of, images = columns.names("rlnMicrographName")
    # RELION's groups are of micrographs: one of them is in one group. A lone particle is known by its weights, which fall with the tilt.
    share_images = 2 * len(images) <= len(columns)
    weighted = all(label in columns for label in TILT_WEIGHTS) and len(set(columns.some(TILT_WEIGHTS[0]))) > 1
    if not (2 * len(series) <= len(columns) and (share_images or weighted)):
        return
    if len(np.unique(np.stack([series_of, image_of], axis=1), axis=0)) == len(columns):
        raise InputError(
            kind="unsupported",
            path=columns.label,
            found=(
                f"a particle series, {len(columns):,} tilt images of {len(series):,} particles ({SERIES}): rows give"
                " positions in tilt images, not in the tomogram"
            ),
            expected="one row per particle, with x, y and z: the table from which the series was exported",
            remedy="export the series again from its particles_kept.star",
        )


def _refuse_several_stacks(columns: Columns) -> None:
    """Refuses particles without a micrograph that were cut from several: RELION writes a stack for each."""
    for label in (IMAGE, "rlnImageOriginalName"):
        stacks = sorted({stack for _, at, stack in (name.partition("@") for name in columns.some(label)) if at} if label in columns else {})
        if len(stacks) > 1:
            raise InputError(
                kind="missing",
                path=columns.label,
                found=(
                    f"no rlnMicrographName, but images in several stacks ({label}: {stacks[0]}, {stacks[1]}), which are of"
                    " several micrographs"
                ),
                expected="the micrograph of each particle",
                remedy=("add that column, for example from particles.star of the extraction, whose rows have the same image names"),
            )


def _subtracted(columns: Columns) -> list[str]:
    """A warning: RELION's particle subtraction moves the boxes where it re-centres, and leaves the coordinates as they were."""
    if "rlnImageOriginalName" not in columns or IMAGE not in columns:
        return []
    if not any("Subtract/" in name for name in columns.some(IMAGE)):
        return []
    return [
        f"{columns.label}: images from RELION's particle subtraction: if it re-centred them, coordinates and origins do not give their"
        " positions (RELION does not change rlnCoordinateX), and parts of one particle have the same position; deduplicate before"
        " subtraction"
    ]


def _refuse_fractions(columns: Columns, position: Sequence[Floats]) -> None:
    """Warp's template matching gives positions as fractions of the tomogram; in pixels most are further than one from the edge."""
    if not len(columns) or 2 * np.count_nonzero(position[0] > 1) > len(columns):  # the usual case, without a median of all
        return
    within = np.median(np.max(np.abs(position), axis=0)) <= 1
    if within and any((column != np.floor(column)).any() for column in position):
        raise InputError(
            kind="unsupported",
            path=columns.label,
            found="coordinates that lie from 0 to 1, as Warp's template matching writes them: fractions of the tomogram",
            expected="pixels",
            remedy="export them with WarpTools ts_export_particles --normalized_coords",
        )


def score(columns: Columns, params: ParticleParams, usual: Sequence[str]) -> Scores | None:
    """The column that the user chose; for ``auto`` the first of the usual ones that the table has."""
    if params.score_field == "none":
        return None
    wanted = usual if params.score_field == "auto" else candidates(params.score_field)
    label = next((label for label in wanted if label in columns), None)
    if label is None:
        if params.score_field == "auto":
            return None
        raise missing_score(columns.label, params.score_field, columns.labels)
    values = columns.numbers(label)
    unset = np.isin(values, UNSET_FIGURES_OF_MERIT) if label == FIGURE_OF_MERIT else np.False_
    if unset.any():  # no copy otherwise: 8 bytes a particle
        values = np.where(unset, np.nan, values)
    return Scores(field=label, values=values)


def _jobs(columns: Columns) -> list[str]:
    if IMAGE not in columns or not len(columns):
        return []
    return jobs_of(columns.some(IMAGE, np.unique(np.linspace(0, len(columns) - 1, JOBS_LOOKED_AT).astype(int)).tolist()))


def _halves(values: Floats) -> Halves:
    halves = np.zeros(len(values), np.uint8)
    for half in (1, 2):
        halves[values == half] = half
    return Halves(field=HALF, values=halves)


class _Origins:
    """The origins of a table; the columns that they come from are freed when they are computed, which saves 48 bytes a particle in 3D."""

    def __init__(self, columns: Columns, dimensions: int) -> None:
        self.columns = columns
        self.dimensions = dimensions
        self.found: tuple[Floats, ...] | None = None
        self.shift_keys: frozenset[str] = frozenset()
        self.labels = ORIGINS_A if any(label in columns for label in ORIGINS_A) else ORIGINS_PX
        if any(label in columns for label in self.labels):
            # RELION has one set of origins; the angles show which step made them.
            refined = any(label in columns and columns.varies(label) for label in ANGLES)
            self.shift_keys = frozenset({"alignments3D" if refined else "alignments2D"})

    def shifts_a(self, key: str) -> tuple[Floats, ...]:
        """The origins, Å, in the axes of the coordinates; ``key`` is the only one of :attr:`shift_keys`."""
        if not self.shift_keys:
            return ()
        if self.found is None:
            self.found = _origins_a(self.columns, self.labels[: self.dimensions])
        return self.found

    @property
    def warnings(self) -> list[str]:
        """A warning if the origin along an axis is missing."""
        missing = [label for label in self.labels[:2] if label not in self.columns]
        if not self.shift_keys or not missing:
            return []
        return [f"{self.columns.label}: found no {missing[0]}, but the origin along another axis: it is set to 0, as in RELION"]

    def release(self) -> None:
        """Frees the origins and all columns."""
        self.found = None
        self.columns.release()


def _origins_a(columns: Columns, labels: Sequence[str]) -> tuple[Floats, ...]:
    zero = np.zeros(len(columns))
    origins = [columns.take(label) if label in columns else zero for label in labels]
    if labels[0] == ORIGINS_PX[0] and any(origin.any() for origin in origins):
        scale = _image_pixel_size(columns)
        origins = [origin * scale for origin in origins]
    if len(labels) == 3 and SUBTOMOGRAM_ANGLES[0] in columns:
        origins = _rotated(origins, [columns.take(label) for label in SUBTOMOGRAM_ANGLES])
    return tuple(origins)


def _image_pixel_size(columns: Columns) -> Floats | float:
    """The pixel size of the particle images, Å, which origins in pixels are counted in."""
    if "rlnMagnification" in columns and "rlnDetectorPixelSize" in columns:
        with np.errstate(divide="ignore", invalid="ignore"):  # centres that are not finite are refused later
            return image_pixel_size_a(columns.numbers("rlnDetectorPixelSize"), columns.numbers("rlnMagnification"))
    if "rlnPixelSize" in columns:
        return columns.numbers("rlnPixelSize")
    sizes = {row["rlnImagePixelSize"] for row in columns.optics if "rlnImagePixelSize" in row}
    if len(sizes) == 1:
        return positive(columns.label, "rlnImagePixelSize", sizes.pop())
    raise UnknownPixelSizeError(
        kind="missing",
        path=columns.label,
        found="rlnOriginX in pixels of unknown size",
        expected="rlnMagnification and rlnDetectorPixelSize, or rlnPixelSize",
        remedy=f"or use {named('shift_key', 'none')}",
    )


def _rotated(origins: Sequence[Floats], angles_deg: Sequence[Floats]) -> list[Floats]:
    """Origins in the axes of the tomogram, from those in the axes of subtomograms of these angles."""
    rotated = [np.empty(len(origin)) for origin in origins]
    for start in range(0, len(origins[0]), BATCH):  # the matrices of all at once took 150 bytes a particle
        rows = slice(start, start + BATCH)
        x, y, z = (origin[rows] for origin in origins)
        for out, row in zip(rotated, _rotation(*(np.radians(angle[rows]) for angle in angles_deg)), strict=True):
            out[rows] = row[0] * x + row[1] * y + row[2] * z
    return rotated


def _rotation(rot: Floats, tilt: Floats, psi: Floats) -> list[list[Floats]]:
    """RELION's Euler matrix (rows), which takes the subtomogram's axes to the tomogram's."""
    sr, cr, st, ct, sp, cp = np.sin(rot), np.cos(rot), np.sin(tilt), np.cos(tilt), np.sin(psi), np.cos(psi)
    return [
        [cp * ct * cr - sp * sr, cp * ct * sr + sp * cr, -cp * st],
        [-sp * ct * cr - cp * sr, -sp * ct * sr + cp * cr, sp * st],
        [st * cr, st * sr, ct],
    ]
