"""What the package raises."""

from pathlib import Path

from cryodedup._core import InputError

__all__ = ["InputError", "MissingPackageError", "reason_of"]


class MissingPackageError(InputError):
    """An optional package is not installed: no file of the kind can be read."""


def reason_of(error: InputError | OSError, path: Path) -> str:
    """Why a file cannot be used, without its name: for a list of files and reasons."""
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return str(error).removeprefix(f"{path}: ")
