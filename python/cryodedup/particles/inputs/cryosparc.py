"""Particles of CryoSPARC datasets.

Conventions (real pixels and independent converters): the centre is the location minus the alignment shift; shifts are counted in pixels
of the alignment, whose size is ``alignments*/psize_A``, not that of the blob.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryodedup import units
from cryodedup.errors import InputError, UnknownPixelSizeError, Where
from cryodedup.formats.cryosparc import Wanted, unpack
from cryodedup.formats.datasets import JoinedFields
from cryodedup.formats.star import text
from cryodedup.names import named
from cryodedup.particles.inputs.picks import Filaments, Floats, Halves, Micrograph, Picks, PixelSize, Scores, first_of_each, jobs_of
from cryodedup.particles.inputs.scores import SAME, missing_score, short

if TYPE_CHECKING:
    from cryodedup.formats.output import Output
    from cryodedup.params import ParticleParams

X, Y, SHAPE = "location/center_x_frac", "location/center_y_frac", "location/micrograph_shape"
UID, PATH, PIXEL_SIZE = "location/micrograph_uid", "location/micrograph_path", "location/micrograph_psize_A"
NCC_SCORE = "pick_stats/ncc_score"
EXPANDED, FILAMENT, IMAGES = "sym_expand/src_uid", "filament/filament_uid", "blob/path"
MAX_FRACTION = 2.0
"""Locations are fractions of the micrograph; particles may lie a little outside."""
SHIFT_KEYS = "alignments3D", "alignments2D"
_OF_CLASSES = re.compile(r"alignments(?:_class_\d+|[23]D_multi)/shift")


def read(fields: JoinedFields, params: ParticleParams, output: Output) -> Picks:
    """The particles of one dataset, or of several joined."""
    missing = [field for field in (X, Y, SHAPE) if field not in fields]
    if missing or not (UID in fields or PATH in fields):
        if any(name.startswith("micrograph_blob/") for name in fields.names) and not any(name.startswith("blob/") for name in fields.names):
            raise InputError(
                kind="unsupported",
                path=fields.label,
                found="a list of micrographs (exposures)",
                expected="particles",
                remedy=f"to compare these, use cryodedup micrographs, or give it as {named('micrographs')}",
            )
        raise InputError(
            kind="missing",
            path=fields.label,
            found=f"no location fields ({', '.join(missing) or UID})",
            expected="them here or in a dataset joined by uid",
            remedy="give the passthrough file as well, or only the .csg of the job (for tables: Dataset.innerjoin)",
        )
    fields.load(_wanted(fields, params))
    shape_of, shapes = fields.distinct(SHAPE, "<u4", 2)
    sides = unpack(shapes, "<u4", 2).astype(np.float64)  # (ny, nx)
    _check_shapes(fields, shape_of, sides)
    stored = (fields.numbers(X), fields.numbers(Y))
    _check_fractions(fields, stored)
    pixel_size_of, pixel_sizes = _pixel_sizes(fields)
    micrograph_of, micrographs = micrographs_of(fields)
    micrographs = _with_extents(micrographs, micrograph_of, sides[shape_of], pixel_size_of, pixel_sizes)
    heights = _of_each(sides[:, 0], shape_of)
    y = stored[1] * heights
    return Picks(
        label=fields.label,
        format="CryoSPARC",
        micrographs=micrographs,
        micrograph_of=micrograph_of,
        stored=stored,
        position=(stored[0] * _of_each(sides[:, 1], shape_of), heights - y if params.flip_y else y),
        heights_px=heights,
        pixel_sizes=pixel_sizes,
        pixel_size_of=pixel_size_of,
        shift_keys=frozenset(key for key in SHIFT_KEYS if f"{key}/shift" in fields),
        shifts_a=lambda key: _shifts_a(fields, key, -1.0 if params.flip_y else 1.0),
        scores=_scores(fields, params),
        uids=fields.uids() if "uid" in fields else None,
        expanded_from=_expanded_from(fields),
        jobs=lambda: [] if IMAGES not in fields else jobs_of(map(text, fields.distinct(IMAGES)[1])),
        halves=_halves(fields),
        filaments=_filaments(fields),
        output=output,
        warnings=_warnings(fields, params),
        notes=[f"{part.label}: joined to {fields.parts[0].label} by uid" for part in fields.parts[1:]],
        where=lambda row: Where(fields.label, row=row),
    )


def _expanded_from(fields: JoinedFields) -> NDArray[np.uint64] | None:
    """The particle that each was expanded from; None if they are 0 everywhere: not set."""
    values = fields.uids(EXPANDED) if EXPANDED in fields else np.zeros(0, np.uint64)
    return values if values.any() else None


def _filaments(fields: JoinedFields) -> Filaments | None:
    if FILAMENT not in fields:
        others = next((name for name in fields.names if name.startswith("filament/")), None)
        return None if others is None else Filaments(field=others, filament_of=np.zeros(len(fields), np.uint32))
    index, values = fields.distinct(FILAMENT)
    return Filaments(field=FILAMENT, filament_of=index) if any(value.strip(b"\0") for value in values) else None


def _warnings(fields: JoinedFields, params: ParticleParams) -> list[str]:
    """Warnings if shifts are those of several classes, and if a passthrough file is given without its main file."""
    of_classes = [] if params.used_shift_key == "none" else _shifts_of_classes(fields)
    if len(fields.parts) > 1 or IMAGES in fields or "passthrough" not in fields.label:
        return of_classes
    return [
        *of_classes,
        f"{fields.label}: a passthrough file without its main file: the output files have no images ({IMAGES}), and no alignments but"
        " those of this file; give the main file as well, or only the .csg of the job",
    ]


def _shifts_of_classes(fields: JoinedFields) -> list[str]:
    """A warning about shifts towards each of several classes, where the file has none of the class of each particle."""
    keys = [name.removesuffix("/shift") for name in fields.names if _OF_CLASSES.fullmatch(name)]
    if not keys or any(f"{key}/shift" in fields for key in SHIFT_KEYS):
        return []
    return [
        f"{fields.label}: shifts of several classes ({', '.join(keys[:3])}), but none of alignments3D or alignments2D: no shifts are used,"
        " and centres are those of the picks; to use shifts, give the file of one class, or of a later refinement"
    ]


def _wanted(fields: JoinedFields, params: ParticleParams) -> list[Wanted]:
    """The fields that are needed in any case, or probably."""
    wanted: list[Wanted] = [
        (X, "number"),
        (Y, "number"),
        (SHAPE, "distinct"),
        (UID, "distinct"),
        (PATH, "distinct"),
        (PIXEL_SIZE, "distinct"),
    ]
    wanted.append(("uid", "uid"))
    wanted += [(EXPANDED, "uid"), (FILAMENT, "distinct")]
    wanted += [(f"{key}/split", "number") for key in SHIFT_KEYS if f"{key}/split" in fields][:1]
    if params.score_field == "auto":
        wanted.append((NCC_SCORE, "number"))
    key = next((key for key in SHIFT_KEYS if f"{key}/shift" in fields), None)
    if key and params.used_shift_key != "none":
        wanted += [(f"{key}/shift", 0), (f"{key}/shift", 1), (f"{key}/psize_A", "number")]
    return wanted


def _halves(fields: JoinedFields) -> Halves | None:
    """Half-sets, counted from 0 in CryoSPARC and from 1 here; 0 everywhere: not yet refined, or the first half-set alone."""
    field = next((f"{key}/split" for key in SHIFT_KEYS if f"{key}/split" in fields), None)
    if field is None:
        return None
    values = fields.numbers(field)
    halves = np.where((values == 0) | (values == 1), values + 1, 0).astype(np.uint8)
    return Halves(field=field, values=halves, perhaps_unset=not values.any())


def _of_each(values: Floats, index: NDArray[np.uint32]) -> Floats | float:
    if len(values) == 1:
        return float(values[0])
    return np.asarray(values[index], np.float64)


def _check_shapes(fields: JoinedFields, shape_of: NDArray[np.uint32], sides: Floats) -> None:
    bad = np.flatnonzero((sides <= 0).any(axis=1))
    if len(bad):
        row = int(np.flatnonzero(shape_of == bad[0])[0])
        found = "x".join(f"{side:.0f}" for side in sides[bad[0]])
        raise InputError(
            kind="malformed", path=fields.label, row=row, field=SHAPE, found=found, expected="the micrograph's sides in pixels"
        )


def micrographs_of(fields: JoinedFields) -> tuple[NDArray[np.uint32], list[Micrograph]]:
    """The micrograph of each particle, as an index into the micrographs."""
    paths = fields.paths(PATH) if PATH in fields else None
    if UID not in fields:
        assert paths is not None
        return paths[0], [Micrograph(name=path) for path in paths[1]]
    index, raw = fields.distinct(UID, "<u8")
    uids = unpack(raw, "<u8")[:, 0].tolist()
    if paths is None:
        return index, [Micrograph(name=f"{uid:021d}", uid=uid) for uid in uids]
    if 0 in uids:  # not set
        return paths[0], [Micrograph(name=path) for path in paths[1]]
    first = first_of_each(index, len(uids))
    names = [paths[1][paths[0][row]] for row in first] if len(index) else []
    return index, [Micrograph(name=name, uid=uid) for name, uid in zip(names, uids, strict=True)]


def _check_fractions(fields: JoinedFields, stored: tuple[Floats, Floats]) -> None:
    far = np.flatnonzero((np.abs(stored[0]) > MAX_FRACTION) | (np.abs(stored[1]) > MAX_FRACTION))
    if len(far) > 0.5 * len(fields):
        row = int(far[0])
        raise InputError(
            kind="malformed",
            path=fields.label,
            row=row,
            found=f"a location of {stored[0][row]:g}, {stored[1][row]:g}",
            expected="fractions from 0 to 1",
        )


def _with_extents(
    micrographs: Sequence[Micrograph],
    micrograph_of: NDArray[np.uint32],
    sides: Floats,
    pixel_size_of: NDArray[np.uint32] | None,
    pixel_sizes: Sequence[PixelSize],
) -> list[Micrograph]:
    """With their widths and heights, where the pixel size is known."""
    found = []
    for micrograph, row in zip(micrographs, first_of_each(micrograph_of, len(micrographs)), strict=True):
        size = pixel_sizes[int(pixel_size_of[row]) if pixel_size_of is not None else 0].value_a if len(micrograph_of) else None
        side = (float(sides[row][1]), float(sides[row][0])) if len(micrograph_of) else None
        extent = None if size is None or side is None else units.extent_a(side, size)
        found.append(replace(micrograph, sides_px=side, extent_a=extent))
    return found


def _pixel_sizes(fields: JoinedFields) -> tuple[NDArray[np.uint32] | None, list[PixelSize]]:
    if PIXEL_SIZE not in fields:  # as in files of version 2 and 3
        return None, [PixelSize(of="", value_a=None, found_in="")]
    index, raw = fields.distinct(PIXEL_SIZE, "<f4")
    # The shortest decimal of the stored single-precision number is what was meant.
    values = [float(str(value)) for value in unpack(raw, "<f4")[:, 0]]
    return index, [PixelSize(of="", value_a=value if value > 0 else None, found_in=PIXEL_SIZE) for value in values]


def _shifts_a(fields: JoinedFields, key: str, y_sign: float) -> tuple[Floats, ...]:
    if f"{key}/psize_A" not in fields:
        raise UnknownPixelSizeError(
            kind="missing",
            path=fields.label,
            found=f"{key}/shift without {key}/psize_A",
            expected="both",
            remedy=f"or use {named('shift_key', 'none')}",
        )
    scale = fields.numbers(f"{key}/psize_A")
    with np.errstate(invalid="ignore", over="ignore"):  # a centre that is no number is refused with its row
        return fields.numbers(f"{key}/shift", 0) * scale, fields.numbers(f"{key}/shift", 1) * (scale * y_sign)


def _scores(fields: JoinedFields, params: ParticleParams) -> Scores | None:
    if params.score_field == "none" or (params.score_field == "auto" and NCC_SCORE not in fields):
        return None
    wanted = NCC_SCORE if params.score_field == "auto" else params.score_field
    names = {short(wanted), SAME.get(short(wanted))}
    found = [wanted] if wanted in fields else [name for name in fields.names if short(name) in names]
    if not found:
        raise missing_score(fields.label, params.score_field, fields.names)
    if len(found) > 1:
        raise InputError(
            kind="ambiguous",
            path=fields.label,
            field=named("score_field", params.score_field),
            found=", ".join(found),
            expected="one",
            remedy="give its full name",
        )
    return Scores(field=found[0], values=fields.numbers(found[0]))
