"""The micrographs of the input before their pixels are read: headers, order of exposure, pixel sizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from cryodedup.errors import InputError
from cryodedup.formats.images import Image
from cryodedup.micrographs import acquisition
from cryodedup.micrographs.classes import PixelSizes, pixel_sizes_a
from cryodedup.micrographs.decide import ranking
from cryodedup.micrographs.exposures import Exposures, open_exposures
from cryodedup.micrographs.headers import open_headers
from cryodedup.names import named
from cryodedup.params import MicrographParams
from cryodedup.progress import Progress

Inputs = str | PathLike[str] | Sequence[str | PathLike[str]]


@dataclass(frozen=True)
class Opened:
    """The micrographs of the input, in its order, before their pixels are read.

    Attributes
    ----------
    order, order_rule
        Indices in the order of exposure, and what that is taken from.
    rank
        Of each micrograph its place in the order of ``--keep``.
    images, unreadable
        By index the header of each readable image, and what is wrong with each other one.
    pixel_sizes_a
        Of each readable image, Å; None where it is not known.
    """

    exposures: Exposures
    order: list[int]
    order_rule: str
    rank: list[int]
    images: Mapping[int, Image]
    unreadable: Mapping[int, str]
    pixel_sizes_a: PixelSizes


def open_micrographs(micrographs: Inputs, params: MicrographParams, progress: Progress) -> Opened:
    """Opens the input and the headers of all images."""
    progress.stage("opening")
    exposures = open_exposures(_paths(micrographs), params.threads)
    if params.keep == "best-ctf" and exposures.ctf_a is None:
        raise InputError(
            kind="missing",
            path=exposures.label,
            found="no rlnCtfMaxResolution or ctf_stats/ctf_fit_to_A",
            expected=f"one of the two for {named('keep', 'best-ctf')}",
        )
    order, rule = acquisition.sort(exposures.names, exposures.acquisitions, params.order)
    images, unreadable = open_headers(exposures, params.bin)
    rank = ranking(order, exposures.ctf_a if params.keep == "best-ctf" else None).tolist()
    return Opened(exposures, list(order), rule, rank, images, unreadable, pixel_sizes_a(exposures, images))


def _paths(micrographs: object) -> list[Path]:
    """The paths that were given.

    Raises
    ------
    InputError
        Something else; a table in memory, whose names of images cannot be looked up: they are relative to the place of its file.
    """
    if hasattr(micrographs, "columns") or isinstance(micrographs, Mapping | np.ndarray):
        kind = type(micrographs).__name__
        raise InputError(
            kind="parameter",
            field="micrographs",
            found=f"a table in memory ({kind})",
            expected="the path of its file, a folder, or the paths of images",
        )
    alone = isinstance(micrographs, str | PathLike) or not isinstance(micrographs, Iterable)
    several: list[Any] = [micrographs] if alone else list(micrographs)  # type: ignore[call-overload]
    wrong = [item for item in several if not (isinstance(item, str | PathLike) and str(item))]
    if wrong:
        raise InputError(kind="parameter", field="micrographs", found=f"{wrong[0]!r}", expected="one path or several paths")
    return [Path(item) for item in several]
