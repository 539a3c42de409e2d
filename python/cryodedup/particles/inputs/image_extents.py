"""How large the images of micrographs are, where their files are at hand."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from cryodedup.errors import InputError
from cryodedup.formats.images import is_image
from cryodedup.formats.mrc import open_mrc
from cryodedup.particles.inputs.micrograph_names import normalised_path

UNKNOWN_A = 1.0
"""What programs write that do not know the pixel size."""


@lru_cache(maxsize=4096)
def image_extent_a(name: str, label: str) -> tuple[float, float] | None:
    """Width and height of a micrograph that an input names, Å; None: no MRC file is found, or it gives no pixel size.

    Names lead to files from this directory, or from one above the input's.
    """
    path = normalised_path(name)
    bases = [Path(), *Path(label).absolute().parents]
    try:
        found = next((base / path for base in bases if is_image(Path(path)) and (base / path).is_file()), None)
        header = None if found is None else open_mrc(found)
    except (InputError, OSError, ValueError):
        return None
    if header is None or header.pixel_size_a is None or header.pixel_size_a == UNKNOWN_A:
        return None
    return header.nx * header.pixel_size_a, header.ny * header.pixel_size_a
