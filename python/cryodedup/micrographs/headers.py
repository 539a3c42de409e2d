"""The headers of the micrographs: the position of each image in its file, and which images cannot be used."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from cryodedup.errors import InputError, MissingPackageError, reason_of
from cryodedup.formats.images import Image, open_image
from cryodedup.micrographs.exposures import Exposures
from cryodedup.names import named

_MANY, _READERS = 64, 8
"""From ``_MANY`` files on, ``_READERS`` are opened at a time, since on a network file system each one waits for an answer. At 1 ms per
answer, 1,000 headers take 0.25 s; one after the other, with each file opened four times (as before), they took 9.4 s."""


def open_headers(exposures: Exposures, width: int) -> tuple[dict[int, Image], dict[int, str]]:
    """The headers of the readable images, and why the others cannot be used, by index. Each file is opened once, several at a time."""
    executor = ThreadPoolExecutor(_READERS if len(exposures) >= _MANY else 1)
    try:
        outcomes = list(executor.map(partial(_open_header, width=width), exposures.paths))
    finally:
        executor.shutdown(cancel_futures=True)
    images = {i: outcome for i, outcome in enumerate(outcomes) if not isinstance(outcome, str)}
    unreadable = {i: outcome for i, outcome in enumerate(outcomes) if isinstance(outcome, str)}
    if not images:
        first = next(iter(unreadable))
        none = f"none of {len(exposures):,} micrographs can be used" if len(exposures) > 1 else None
        raise InputError(kind="malformed", path=exposures.paths[first], reason=unreadable[first], remedy=none)
    return images, unreadable


def _open_header(path: Path, width: int) -> Image | str:
    """The header, or why the image cannot be used."""
    try:
        image = open_image(path)
    except MissingPackageError:
        raise
    except (InputError, OSError) as error:
        return reason_of(error)
    if min(image.nx, image.ny) < 16 * width:
        return f"found {image.nx} x {image.ny} pixels, expected at least {16 * width} along each side with {named('bin', width)}"
    return image
