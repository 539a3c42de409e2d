"""The extents of micrographs whose image files can be read."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from cryodedup.errors import InputError
from cryodedup.formats.image_names import is_image
from cryodedup.formats.mrc import open_mrc
from cryodedup.formats.project import is_file
from cryodedup.particles.inputs.micrograph_names import normalised_path
from cryodedup.units import extent_a

UNKNOWN_A = 1.0
"""What programs write that do not know the pixel size."""


@lru_cache(maxsize=4096)
def image_file(name: str, label: str) -> Path | None:
    """The image of a micrograph that an input names: from above the input, else from this directory; None: there is none."""
    path = normalised_path(name)
    if not is_image(Path(path)):
        return None
    try:
        # Nearest first: of two projects with equal names, that of the input is meant, wherever the command is run.
        found = next((base / path for base in (*Path(label).absolute().parents, Path()) if is_file(base / path)), None)
    except (OSError, ValueError):
        return None
    return None if found is None else Path(os.path.realpath(found))


@lru_cache(maxsize=4096)
def image_extent_a(name: str, label: str) -> tuple[float, float] | None:
    """Width and height of a micrograph that an input names, Å; None: there is no MRC file that can be read and gives its pixel size."""
    found = image_file(name, label)
    try:
        header = None if found is None else open_mrc(found)
    except (InputError, OSError, ValueError):
        return None
    if header is None or header.pixel_size_a is None or header.pixel_size_a == UNKNOWN_A:
        return None
    return extent_a((header.nx, header.ny), header.pixel_size_a)
