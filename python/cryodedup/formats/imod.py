"""Points as IMOD's ``model2point`` writes them: ``x y z``, with the contour, or the object and the contour, in front."""

from __future__ import annotations

from pathlib import Path

from cryodedup import _core
from cryodedup.formats.detect import POINTS


def open_points(path: Path, threads: int = 0) -> _core.Table:
    """Scans one file, of one tomogram; in pixels of the volume that the model was made on."""
    start = 0
    with path.open("rb") as file:
        for line in file:
            if line.strip() and not line.lstrip().startswith(b"#"):
                break
            start += len(line)
    labels = POINTS[len(line.split())].split()
    return _core.scan_rows([path], [start], [labels], numbers=("x", "y", "z"), names=(), threads=threads)[0]
