"""Output for micrographs that were given as files: lists of their paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryodedup.errors import naming
from cryodedup.formats.output import Mask, Place
from cryodedup.progress import Progress


@dataclass(frozen=True)
class ListOutput:
    """Writes micrographs that were given as files as lists of their paths."""

    names: Sequence[str]
    suffix: str = ".txt"
    files: tuple[Path, ...] = ()

    def write(self, place: Place, stem: str, kept: Mask, others: Sequence[tuple[Any, Mask]], progress: Progress) -> list[str]:
        """Writes a list for each of ``place.words``, one path per line."""
        for word, mask in zip(place.words, (kept, ~kept), strict=True):
            chosen = [name for name, wanted in zip(self.names, mask, strict=True) if wanted]
            text = "".join(f"{name}\n" for name in chosen)
            path = place.staging / f"{stem}_{word}.txt"
            with naming(path):
                path.write_text(text, "utf-8", "surrogateescape")
        return []
