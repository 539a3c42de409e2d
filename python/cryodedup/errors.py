"""What the package raises."""

from cryodedup._core import InputError

__all__ = ["InputError"]
