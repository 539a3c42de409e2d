"""File extensions of images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

TIFF = (".tif", ".tiff")
IMAGES = (".mrc", ".mrc.gz", ".mrc.bz2", *TIFF)
"""Extensions of micrographs."""
OTHERS = {".eer": "an EER movie", ".mrcs": "a movie or a stack", ".gain": "a gain reference"}
"""Extensions of other files found beside micrographs, and what these are."""


SPECTRUM = "_PS.mrc"
"""How the name of a power spectrum ends that RELION's motion correction writes beside ``x.mrc``."""


def is_image(path: Path) -> bool:
    """Whether a file is a micrograph, by its extension."""
    return path.name.lower().endswith(IMAGES)


def power_spectra(images: Iterable[Path]) -> set[Path]:
    """The power spectra among images: all that are named so, if one of them lies beside its micrograph. Else these are names of users."""
    there = set(images)
    named = {path for path in there if path.name.endswith(SPECTRUM)}
    beside = any(path.with_name(path.name.removesuffix(SPECTRUM) + ".mrc") in there for path in named)
    return named if beside else set()
