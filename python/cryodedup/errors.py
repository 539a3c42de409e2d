"""What the package raises."""

from cryodedup._core import InputError

__all__ = ["InputError", "MissingPackageError"]


class MissingPackageError(InputError):
    """An optional package is not installed: no file of the kind can be read."""
