"""The exceptions of the package."""

from __future__ import annotations

import errno
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryodedup._core import DEBUG_BUILD, InputError
from cryodedup.text import brief_message

__all__ = [
    "USERS_FAULT",
    "InUseError",
    "InputError",
    "MissingPackageError",
    "ParameterError",
    "UnknownPixelSizeError",
    "naming",
    "option_of",
    "reason_of",
]

if DEBUG_BUILD:
    warnings.warn("cryodedup._core is a debug build: 20 times slower; build with maturin develop --release", stacklevel=2)

InputError.__str__ = lambda error: brief_message(ValueError.__str__(error))  # type: ignore[method-assign]
MAX_SHOWN = 100
"""Letters of a wrong value that a message shows: it may be a whole table."""
USERS_FAULT = {
    errno.EACCES,
    errno.EPERM,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EROFS,
}
"""Errors of the system that the user can avoid by giving another path."""


class MissingPackageError(InputError):
    """An optional package is not installed: no file of the kind can be read."""


class InUseError(InputError):
    """Another run uses a file: it is free later."""


class UnknownPixelSizeError(InputError):
    """Something is counted in pixels whose size the file does not give."""


class ParameterError(InputError):
    """A parameter is wrong, or two of them do not go together.

    Parameters
    ----------
    text
        Names each parameter in braces, ``{min_votes}``: the command line shows the option instead.
    values
        What other braces stand for.
    """

    def __init__(self, text: str, **values: object) -> None:
        super().__init__(text)
        self.values = values

    @classmethod
    def of(cls, name: str, found: object, expected: str) -> ParameterError:
        """The usual message."""
        shown = " ".join(repr(found).split())
        shown = shown if len(shown) <= MAX_SHOWN else f"{shown[: MAX_SHOWN - 1]}…"
        error = cls(f"{{{name}}}: found {{found}}, expected {{expected}}", found=shown, expected=expected)
        error.kind, error.name, error.found, error.expected = "parameter", name, shown, expected
        return error

    def named(self, name_of: Callable[[str], str]) -> str:
        """The text, with other names for the parameters."""
        return str(self.args[0]).format_map(_Values(self.values, name_of))

    def __str__(self) -> str:
        return self.named(str)


def option_of(parameter: str) -> str:
    """The option that sets a parameter: units are left out."""
    return f"--{re.sub('_(deg|a|px|cycles_per_px)$', '', parameter).replace('_', '-')}"


class _Values(dict[str, object]):
    """What braces stand for: a value, or else the name of a parameter."""

    def __init__(self, values: dict[str, object], name_of: Callable[[str], str]) -> None:
        super().__init__(values)
        self.name_of = name_of

    def __missing__(self, parameter: str) -> str:
        return self.name_of(parameter)


def reason_of(error: InputError | OSError, path: Path) -> str:
    """Why a file cannot be used, without its name: for a list of files and reasons."""
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return str(error).removeprefix(f"{path}: ")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Puts the name of the file that is being written into an error of the system: a full disk does not say which file it was."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = os.fspath(path)
        raise
