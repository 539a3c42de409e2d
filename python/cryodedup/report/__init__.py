"""The page that people look at: one HTML file that needs nothing else, and its figures as PNG."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cryodedup.directory import FIGURES, PAGE

Result = TypeVar("Result")
OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)


def add_page(write_page: Callable[[Result, Path], None], result: Result, staging: Path, warnings: list[str]) -> None:
    """Makes a page among the results. If that fails, the results are worth more: they stay, without the page and with a warning."""
    try:
        write_page(result, staging)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in OF_THE_DISK:
            raise  # the results would fare no better
        (staging / PAGE).unlink(missing_ok=True)
        shutil.rmtree(staging / FIGURES, ignore_errors=True)
        warnings.append(f"no page was made: {type(error).__name__}: {error}; please report this")
