"""File extensions of images."""

from __future__ import annotations

from pathlib import Path

TIFF = (".tif", ".tiff")
IMAGES = (".mrc", ".mrc.gz", ".mrc.bz2", *TIFF)
"""Extensions of micrographs."""
OTHERS = {".eer": "an EER movie", ".mrcs": "a movie or a stack", ".gain": "a gain reference"}
"""Extensions of other files found beside micrographs, and what these are."""


def is_image(path: Path) -> bool:
    """Whether a file is a micrograph, by its extension."""
    return path.name.lower().endswith(IMAGES)
