"""The page that people look at: one HTML file that needs nothing else, and its figures as PNG."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")


def add_page(write_page: Callable[[Result, Path], None], result: Result, staging: Path, warnings: list[str]) -> None:
    """Makes a page among the results. If that fails, the results are worth more: they stay, without the page and with a warning."""
    from cryodedup.report.page import FIGURES, PAGE

    try:
        write_page(result, staging)
    except OSError:
        raise  # of the disk: the results would fare no better
    except Exception as error:
        (staging / PAGE).unlink(missing_ok=True)
        shutil.rmtree(staging / FIGURES, ignore_errors=True)
        warnings.append(f"no page was made: {type(error).__name__}: {error}; please report this")
