"""The page that people look at: one HTML file that needs nothing else, and its figures as PNG."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from cryodedup.directory import FIGURES, PAGE

OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)


class Reported(Protocol):
    """What a result has to take note of its page."""

    warnings: list[str]
    times_s: dict[str, float]


Result = TypeVar("Result", bound=Reported)


def add_page(write_page: Callable[[Result, Path], None], result: Result, staging: Path) -> None:
    """Makes a page among the results. If that fails, the results are worth more: they stay, without the page and with a warning."""
    started = time.perf_counter()
    try:
        write_page(result, staging)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in OF_THE_DISK:
            raise  # the results would fare no better
        (staging / PAGE).unlink(missing_ok=True)
        shutil.rmtree(staging / FIGURES, ignore_errors=True)
        result.warnings.append(f"no page was made: {type(error).__name__}: {error}; please report this")
    result.times_s["report"] = time.perf_counter() - started
