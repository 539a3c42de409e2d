"""The unit of the coordinates of a RELION or Warp table, and the pixel size.

Never ``rlnImagePixelSize``, which is that of the possibly binned particle.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cryodedup.errors import InputError
from cryodedup.formats.star import Columns, group_number
from cryodedup.names import named
from cryodedup.particles.inputs.picks import CountedIn, PixelSize
from cryodedup.units import image_pixel_size_a

OF_MICROGRAPH, OF_TILT_SERIES, OF_MOVIE = PIXEL_SIZES = (
    "rlnMicrographPixelSize",
    "rlnTomoTiltSeriesPixelSize",
    "rlnMicrographOriginalPixelSize",
)
BINNING, ROW = "rlnTomoSubtomogramBinning", "rlnPixelSize"
IMAGE_SCALE = ("rlnMagnification", "rlnDetectorPixelSize")
GROUP = "rlnOpticsGroup"
IN_NAME = re.compile(r"_(\d+\.\d+)A(?:_|\.mrcs?$)")
"""Warp puts the pixel size of its export into the names of images."""
TOLERANCE = 0.02
"""Names give two decimals."""
MOVIES = (
    f"the pixel size of the movie before binning; if the micrographs were binned, give {named('micrographs')} or {named('pixel_size_a')}"
)
UNCONFIRMED = (
    "which is right if coordinates are in pixels of the exported images, as WarpTools writes them; nothing else in the file confirms it"
)
UNBINNED = "the pixel size of the unbinned tilt series, while Warp counts coordinates in pixels of the images it exported"


OF_ROWS = (
    "which Warp counts coordinates in; nothing else in the file confirms it; if they are in other pixels, such as of another binning, give"
    f" {named('pixel_size_a')}"
)


def check_optics(file: str, optics: Sequence[dict[str, str]]) -> None:
    """Refuses optics groups that are listed twice."""
    ids = [group_number(row[GROUP]) for row in optics if GROUP in row]
    twice = next((group for group in ids if ids.count(group) > 1), None)
    if twice is not None:
        raise InputError(
            kind="ambiguous", path=file, field="data_optics", found=f"{GROUP} {twice} {ids.count(twice)} times", expected="each once"
        )


def counted_in(columns: Columns, micrographs: Sequence[str], *, deep: bool, of_one: bool) -> CountedIn:
    """Returns what coordinates in pixels are counted in; ``of_one``: the table is that of one micrograph, after which its file is named."""
    if any(name.endswith(".tomostar") for name in micrographs) or (deep and not of_one and _is_named_export(columns)):
        return "export"
    from_matching = "rlnLCCmax" in columns and "rlnDetectorPixelSize" in columns
    return "tomogram" if deep and (of_one or from_matching) else "micrograph"


def _is_named_export(columns: Columns) -> bool:
    """Whether images are named as Warp names subtomograms, in a table of Warp's columns: its tomograms may have any name."""
    of_warp = ROW in columns or all(label in columns for label in IMAGE_SCALE)
    return of_warp and not any(label in columns for label in PIXEL_SIZES) and any(map(IN_NAME.search, map(_base, _some_images(columns))))


def pixel_sizes(columns: Columns, counted: CountedIn) -> tuple[np.ndarray | None, list[PixelSize]]:
    """The number of the pixel size of each row, None if all have the first; and the pixel sizes."""
    if counted == "export":
        return _confirmed(columns, *_of_export(columns))
    if counted == "tomogram" and "rlnDetectorPixelSize" in columns and "rlnMagnification" not in columns:
        return _of_column(columns, "rlnDetectorPixelSize")  # as pytom-match-pick uses it
    for label in PIXEL_SIZES:
        if label in columns or any(label in row for row in columns.optics):
            index, sizes = _of_column(columns, label) if label in columns else _of_groups(columns, [label])
            # An export of Warp whose tomograms were renamed.
            renamed = label == OF_TILT_SERIES and any(IN_NAME.search(_base(name)) for name in _some_images(columns))
            return _confirmed(columns, index, sizes) if renamed else (index, sizes)
    if ROW in columns and "rlnCoordinateZ" in columns:  # of two-dimensional particles it is that of their images
        of_rows, values = _of_column(columns, ROW)
        return of_rows, [replace(size, uncertain=OF_ROWS) for size in values]
    return _of_groups(columns, PIXEL_SIZES)


def _of_column(columns: Columns, label: str) -> tuple[np.ndarray, list[PixelSize]]:
    index, texts = columns.names(label)
    return index, [_pixel_size(columns.label, "", {label: text}, [label]) for text in texts]


def _of_groups(columns: Columns, labels: Sequence[str]) -> tuple[np.ndarray | None, list[PixelSize]]:
    index, groups = _groups(columns)
    return index, [_pixel_size(columns.label, of, row, labels) for of, row in groups]


def _groups(columns: Columns) -> tuple[np.ndarray | None, list[tuple[str, dict[str, str]]]]:
    """The optics groups of the particles: of each row the number of its group, and the groups' names and rows."""
    groups = {group_number(row[GROUP]): row for row in columns.optics if GROUP in row}
    if GROUP not in columns:
        return None, [("", next(iter(groups.values())) if len(groups) == 1 else {})]
    index, cells = columns.names(GROUP)
    ids = list(map(group_number, cells))
    missing = [group for group in ids if group not in groups]
    if missing and groups:
        raise InputError(
            kind="contradiction",
            path=columns.label,
            found=f"particles of optics group {missing[0]}",
            expected=f"one of data_optics: {', '.join(groups)}",
        )
    return index, [(f"optics group {group}", groups.get(group, {})) for group in ids]


def _pixel_size(file: str, of: str, row: dict[str, str], labels: Sequence[str]) -> PixelSize:
    for label in labels:
        if label in row:
            value = positive(file, f"{label} {of}".strip(), row[label])
            return PixelSize(of=of, value_a=value, found_in=label, uncertain=MOVIES if label == OF_MOVIE else "")
    return PixelSize(of=of, value_a=None, found_in="")


def _of_export(columns: Columns) -> tuple[np.ndarray | None, list[PixelSize]]:
    """The pixel size in Warp's exports: 3D ones give it in each row, older ones as a detector's; 2D ones as a product in optics groups."""
    if ROW in columns:
        return _of_column(columns, ROW)
    if all(label in columns for label in IMAGE_SCALE):
        return _of_image_scale(columns)
    index, groups = _groups(columns)
    return index, [_product(columns.label, of, row) for of, row in groups]


def _of_image_scale(columns: Columns) -> tuple[np.ndarray, list[PixelSize]]:
    scales = image_pixel_size_a(columns.numbers(IMAGE_SCALE[1]), columns.numbers(IMAGE_SCALE[0]))
    values, index = np.unique(scales, return_inverse=True)
    found_in = " / ".join(IMAGE_SCALE[::-1])
    sizes = [positive(columns.label, found_in, f"{value:.6g}") for value in values]
    return index.astype(np.uint32), [PixelSize(of="", value_a=size, found_in=found_in, uncertain=UNCONFIRMED) for size in sizes]


def _product(file: str, of: str, row: dict[str, str]) -> PixelSize:
    if OF_TILT_SERIES not in row:
        return PixelSize(of=of, value_a=None, found_in="")
    size = positive(file, f"{OF_TILT_SERIES} {of}".strip(), row[OF_TILT_SERIES])
    if BINNING not in row:
        return PixelSize(of=of, value_a=size, found_in=OF_TILT_SERIES, uncertain=UNBINNED)
    binning = positive(file, f"{BINNING} {of}".strip(), row[BINNING], "number")
    return PixelSize(of=of, value_a=float(f"{size * binning:.6g}"), found_in=f"{OF_TILT_SERIES} x {BINNING}", uncertain=UNCONFIRMED)


def _confirmed(columns: Columns, index: np.ndarray | None, sizes: list[PixelSize]) -> tuple[np.ndarray | None, list[PixelSize]]:
    """Certain where the names of images say so; in conflict where they say something else."""
    if "rlnImageName" not in columns or not len(columns):
        return index, sizes
    of, names = columns.all_names("rlnImageName")
    found = [IN_NAME.findall(_base(name)) for name in names]
    stated = np.array([float(sizes_a[-1]) if sizes_a else np.nan for sizes_a in found])
    return index, [_compared(size, of if index is None else of[index == i], names, stated) for i, size in enumerate(sizes)]


def _compared(size: PixelSize, of: np.ndarray, names: Sequence[str], stated: np.ndarray) -> PixelSize:
    images = np.unique(of)
    images = images[~np.isnan(stated[images])]
    if size.value_a is None or not len(images):
        return size
    other = next((int(image) for image in images if abs(stated[image] - size.value_a) > TOLERANCE * stated[image]), None)
    if other is None:
        return replace(size, uncertain="")
    return replace(size, conflict=f"the names of images say {stated[other]:g} Å ({_base(names[other])})", conflicting=float(stated[other]))


def _some_images(columns: Columns) -> list[str]:
    return columns.some("rlnImageName") if "rlnImageName" in columns else []


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def positive(file: str, what: str, text: str, unit: str = "number of Å") -> float:
    """A number above 0; ``what`` names it in the message."""
    try:
        value = float(text) if text.isascii() and "_" not in text else np.nan
    except ValueError:
        value = np.nan
    if not (np.isfinite(value) and value > 0):
        raise InputError(kind="malformed", path=file, field=what, found=f"{text!r}", expected=f"a positive {unit}")
    return value
