"""File extensions of images."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

TIFF = (".tif", ".tiff")
IMAGES = (".mrc", ".mrc.gz", ".mrc.bz2", *TIFF)
"""Extensions of micrographs."""
OTHERS = {".eer": "an EER movie", ".mrcs": "a movie or a stack", ".gain": "a gain reference"}
"""Extensions of other files found beside micrographs, and what these are."""
SPECTRUM = "_PS.mrc"
"""How the name of a power spectrum ends that RELION's motion correction writes beside ``x.mrc``."""
_SPECTRA = re.compile(r"(?:_PS)+\.mrc$")


def is_image(path: Path) -> bool:
    """Whether a file is a micrograph, by its extension."""
    return path.name.lower().endswith(IMAGES)


def power_spectra(images: Iterable[Path]) -> set[Path]:
    """The power spectra among images.

    If one ``x_PS.mrc`` lies beside ``x.mrc``, all files of that folder with this ending are power spectra: a spectrum may be written before
    its micrograph. Users may name micrographs ``x_PS.mrc``: if no ``x.mrc`` is there, or if spectra end in ``_PS_PS.mrc``, they are none.
    """
    there = set(images)
    named = {path: (path.parent, found[0]) for path in there if (found := _SPECTRA.search(path.name))}
    of_spectra = {ending for path, ending in named.items() if path.with_name(path.name.removesuffix(SPECTRUM) + ".mrc") in there}
    return {path for path, ending in named.items() if ending in of_spectra}
