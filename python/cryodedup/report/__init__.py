"""The page that people look at: one HTML file that needs nothing else, and its figures."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

from cryodedup.output_directory import FIGURES, PAGE

OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)


def add_page(write_page: Callable[[], None], staging: Path) -> tuple[str, ...]:
    """Makes a page among the results; if that fails, the results are worth more: they stay, without the page, and a warning is returned."""
    try:
        write_page()
    except Exception as error:
        if isinstance(error, OSError) and error.errno in OF_THE_DISK:
            raise  # the results would fare no better
        (staging / PAGE).unlink(missing_ok=True)
        shutil.rmtree(staging / FIGURES, ignore_errors=True)
        return (f"no page was made: {type(error).__name__}: {error}; please report this",)
    return ()
