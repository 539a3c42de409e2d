"""Which files are images, by their file extensions."""

from __future__ import annotations

from pathlib import Path

TIFF = (".tif", ".tiff")
IMAGES = (".mrc", ".mrc.gz", ".mrc.bz2", *TIFF)
"""Endings of micrographs."""
OTHERS = {".eer": "an EER movie", ".mrcs": "a movie or a stack", ".gain": "a gain reference"}
"""Endings of what lies beside micrographs, and what it is."""


def is_image(path: Path) -> bool:
    """Whether a file is a micrograph by the ending of its name."""
    return path.name.lower().endswith(IMAGES)
