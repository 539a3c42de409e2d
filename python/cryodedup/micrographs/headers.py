"""The micrographs of the input before their pixels are read: headers, order of exposure, pixel sizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from cryodedup.errors import InputError, MissingPackageError, reason_of
from cryodedup.formats.images import Image, open_image
from cryodedup.micrographs import acquisition
from cryodedup.micrographs.classes import PixelSizes, pixel_sizes_a
from cryodedup.micrographs.decide import ranking
from cryodedup.micrographs.exposures import Exposures, open_exposures
from cryodedup.names import named
from cryodedup.params import MicrographParams
from cryodedup.progress import Progress

_MANY, _READERS = 64, 8
"""From ``_MANY`` files on, ``_READERS`` are opened at a time, since on a network file system each one waits for an answer. At 1 ms per
answer, 1,000 headers take 0.25 s; one after the other, with each file opened four times (as before), they took 9.4 s."""


def open_headers(exposures: Exposures, bin: int) -> tuple[dict[int, Image], dict[int, str]]:
    """The headers of the readable images, and why the others cannot be used, by index. Each file is opened once, several at a time."""
    executor = ThreadPoolExecutor(_READERS if len(exposures) >= _MANY else 1)
    try:
        outcomes = list(executor.map(partial(_open_header, bin=bin), exposures.paths))
    finally:
        executor.shutdown(cancel_futures=True)
    images = {i: outcome for i, outcome in enumerate(outcomes) if not isinstance(outcome, str)}
    unreadable = {i: outcome for i, outcome in enumerate(outcomes) if isinstance(outcome, str)}
    if not images:
        first = next(iter(unreadable))
        none = f"none of {len(exposures):,} micrographs can be used" if len(exposures) > 1 else None
        raise InputError(kind="malformed", path=exposures.paths[first], reason=unreadable[first], remedy=none)
    return images, unreadable


def _open_header(path: Path, bin: int) -> Image | str:
    """The header, or why the image cannot be used."""
    try:
        image = open_image(path)
    except MissingPackageError:
        raise
    except (InputError, OSError) as error:
        return reason_of(error)
    return too_small(image, bin) or image


def too_small(image: Image, bin: int) -> str | None:
    """Why an image has too few pixels for a bin; None if it has enough."""
    if min(image.nx, image.ny) >= 16 * bin:
        return None
    return f"found {image.nx} x {image.ny} pixels, expected at least {16 * bin} along each side with {named('bin', bin)}"


Inputs = str | PathLike[str] | Sequence[str | PathLike[str]]


@dataclass(frozen=True)
class Opened:
    """The micrographs of the input, in its order, before their pixels are read.

    Attributes
    ----------
    order, order_rule
        Indices in the order of exposure, and what that is taken from.
    rank
        Of each micrograph its rank in the order of ``--keep``.
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
