"""The exceptions of the package."""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from cryodedup._core import DEBUG_BUILD
from cryodedup.names import Spell, as_parameters, bare, named
from cryodedup.text import brief_message

__all__ = [
    "USERS_FAULT",
    "InUseError",
    "InputError",
    "Kind",
    "MissingPackageError",
    "UnknownPixelSizeError",
    "Where",
    "naming",
    "reason_of",
    "wrong_value",
]

if DEBUG_BUILD:
    warnings.warn("cryodedup._core is a debug build: 20 times slower; build with maturin develop --release", stacklevel=2)

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

Kind = Literal[
    "parameter",  # a value, an array or an option is not one of those that are allowed, or a required one is missing
    "conflict",  # two choices do not go together
    "missing",  # a file, a column, a value or a package is not there, or cannot be opened
    "malformed",  # a file contains what its format does not allow
    "truncated",  # a file ends too early
    "ambiguous",  # several things fit, or one is there several times, and one is needed
    "contradiction",  # two files, or a file and an earlier state of it, disagree
    "unsupported",  # a file or a table of a kind that is not used here
    "exists",  # an output would replace what is there
    "resources",  # memory or disk does not suffice, or another run holds a file
]


@dataclass(frozen=True)
class Where:
    """A line or a row of a file or a table, as messages name it."""

    path: Path | str
    line: int | None = None
    """From 1."""
    row: int | None = None
    """From 0."""

    @property
    def parts(self) -> dict[str, Any]:
        """Where it is, as an :class:`InputError` takes it."""
        return {"path": self.path, "line": self.line, "row": self.row}

    def __str__(self) -> str:
        line = "" if self.line is None else f", line {self.line}"
        return f"{self.path}{line}" if self.row is None else f"{self.path}{line}, row {self.row}"


class InputError(ValueError):
    """The user's data or parameters are wrong. The parts say what and where; ``str`` makes one line of them.

    Parameters
    ----------
    kind
        What went wrong: ``parameter``, ``conflict``, ``missing``, ``malformed``, ``truncated``, ``ambiguous``, ``contradiction``,
        ``unsupported``, ``exists`` or ``resources``.
    path
        The file, or what a table in memory is called.
    line
        The line of a text file, from 1.
    row
        The row of a table, from 0.
    field
        The column, the block or the parameter.
    found, expected
        What is there, and what has to be. ``expected`` alone: it is missing.
    reason
        What the system, another library or an earlier step said, in place of ``found``.
    remedy
        What to do.
    """

    def __init__(
        self,
        *,
        kind: Kind,
        path: os.PathLike[str] | str | None = None,
        line: int | None = None,
        row: int | None = None,
        field: str | None = None,
        found: str | None = None,
        expected: str | None = None,
        reason: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__()
        path_text = None if path is None else os.fspath(path)
        self._parts: dict[str, Any] = {"kind": kind, "path": path_text, "line": line, "row": row}
        self._parts |= {"field": field, "found": found, "expected": expected, "reason": reason, "remedy": remedy}
        self.kind: Kind = kind
        self.path, self.line, self.row = path_text, line, row
        self.field = None if field is None else bare(field)
        self.found, self.expected, self.reason, self.remedy = (
            None if part is None else as_parameters(part) for part in (found, expected, reason, remedy)
        )

    def but(self, **parts: Any) -> InputError:
        """The same error with some parts replaced."""
        return type(self)(**{**self._parts, **parts})

    @property
    def text(self) -> str:
        """The line, with marks for the names of parameters: for other texts that quote it."""
        part = self._parts
        where = Where(part["path"] or "", part["line"], part["row"])
        heads = [text for text in (str(where).removeprefix(", "), part["field"]) if text]
        said = part["reason"] or (f"found {part['found']}" if part["found"] is not None else None)
        expected = part["expected"] and f"{'missing' if said is None else 'expected'} {part['expected']}"
        body = ", ".join(text for text in (said, expected) if text)
        return ": ".join([*heads, f"{body}; {part['remedy']}" if part["remedy"] else body])

    def spelled(self, spell: Spell) -> str:
        """The line as :func:`~cryodedup.names.as_options` or :func:`~cryodedup.names.as_parameters` spells the names in it."""
        return brief_message(spell(self.text))

    def __str__(self) -> str:
        return self.spelled(as_parameters)

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), **self._parts), ()


class MissingPackageError(InputError):
    """An optional package is not installed: no file of the kind can be read."""


class InUseError(InputError):
    """Another run uses a file: it is free later."""


class UnknownPixelSizeError(InputError):
    """Something is counted in pixels whose size the file does not give."""


def wrong_value(parameter: str, found: object, expected: str) -> InputError:
    """The error for a parameter that has a wrong value."""
    shown = " ".join(repr(found).split())
    shown = shown if len(shown) <= MAX_SHOWN else f"{shown[: MAX_SHOWN - 1]}…"
    return InputError(kind="parameter", field=named(parameter), found=shown, expected=expected)


def reason_of(error: InputError | OSError) -> str:
    """Why a file cannot be used, without its name: for a list of files and reasons."""
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return error.but(path=None).text


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Puts the name of the file that is being written into an error of the system: a full disk does not say which file it was."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = os.fspath(path)
        raise
