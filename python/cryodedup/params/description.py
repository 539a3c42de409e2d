"""The description of a parameter, from which its checks and its option on the command line are made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from numbers import Integral, Real
from os import PathLike
from typing import Any, TypeGuard, TypeVar, get_args

import numpy as np

from cryodedup.errors import InputError, wrong_value

Params = TypeVar("Params")


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite real number, and not a bool."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond the floats
        return False


def checked(params: object, kind: type[Params]) -> Params:
    """The parameters, or the defaults for None.

    Raises
    ------
    InputError
        Something else.
    """
    if params is None:
        return kind()
    if not isinstance(params, kind):
        raise InputError(kind="parameter", field="params", found=type(params).__name__, expected=kind.__name__)
    return params


def chosen(params: object, kind: type[Params], given: Mapping[str, Any]) -> Params:
    """The parameters, or the defaults for None, with the given ones in their place.

    Raises
    ------
    InputError
        Something else.
    TypeError
        A name that no parameter has.
    """
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    unknown = next((name for name in given if name not in names), None)
    if unknown is not None:
        alike = get_close_matches(unknown, names, n=1, cutoff=0.7)
        raise TypeError(f"{kind.__name__} has no parameter {unknown!r}" + (f"; did you mean {alike[0]!r}?" if alike else ""))
    return replace(checked(params, kind), **given)  # type: ignore[type-var]


_DESCRIPTION = "description"
MAX_THREADS = 1024


@dataclass(frozen=True)
class Switch:
    """True or False."""

    expected = "True or False"

    def accepts(self, value: object) -> bool:
        """Whether this is one."""
        return isinstance(value, bool | np.bool_)


@dataclass(frozen=True)
class Choice:
    """One of the values of a ``Literal``."""

    literal: Any

    @property
    def expected(self) -> str:
        """The values."""
        return " or ".join(get_args(self.literal))

    def accepts(self, value: object) -> bool:
        """Whether this is one."""
        return value in get_args(self.literal)


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number from ``low`` to ``high``, or more than ``low`` if it is ``open``; ``whole``: without a fraction."""

    expected: str
    low: float = -math.inf
    high: float = math.inf
    open: bool = False
    whole: bool = False

    def accepts(self, value: object) -> bool:
        """Whether this is one."""
        if not is_number(value) or (self.whole and not isinstance(value, Integral)):
            return False
        return self.low < value < self.high if self.open else self.low <= value <= self.high


@dataclass(frozen=True)
class OfInputs:
    """One value for all inputs, or a mapping of names of inputs to their values."""

    value: Number

    @property
    def expected(self) -> str:
        """One of the two."""
        return f"{self.value.expected}, or a mapping of names of inputs to such numbers"

    def accepts(self, value: object) -> bool:
        """Whether this is one."""
        if isinstance(value, Mapping):
            return all(isinstance(name, str) and self.value.accepts(each) for name, each in value.items())
        return self.value.accepts(value)


@dataclass(frozen=True)
class Numbers:
    """So many numbers of a kind, as a tuple or a list."""

    value: Number
    lengths: Sequence[int]

    @property
    def expected(self) -> str:
        """How many of which."""
        return f"{' or '.join(map(str, self.lengths))} {self.value.expected}"

    def accepts(self, value: object) -> bool:
        """Whether this is one."""
        return isinstance(value, tuple | list) and len(value) in self.lengths and all(map(self.value.accepts, value))


@dataclass(frozen=True)
class Text:
    """The name of a column."""

    expected = "the name of a column"

    def accepts(self, value: object) -> bool:
        """Whether this is text."""
        return isinstance(value, str)


@dataclass(frozen=True)
class File:
    """The path of a file."""

    expected = "a path"

    def accepts(self, value: object) -> bool:
        """Whether this can be one."""
        return isinstance(value, str | PathLike)


Kind = Switch | Choice | Number | OfInputs | Numbers | Text | File


@dataclass(frozen=True, kw_only=True)
class Description:
    """Holds what a parameter is, and how the command line shows it.

    Attributes
    ----------
    kind
        The values that it may have, besides its default if that is None.
    help
        For users, in the imperative; options are named as on the command line.
    group
        The options under whose heading it stands.
    metavar
        A word for the value.
    is_unset
        Whether the command line has to know if the option is given.
    """

    kind: Kind
    help: str
    group: str
    metavar: str | None = None
    is_unset: bool = False


def parameter(default: Any, kind: Kind, group: str, text: str, metavar: str | None = None, *, is_unset: bool = False) -> Any:
    """A field of a dataclass of parameters; see :class:`Description`."""
    described = Description(kind=kind, help=text, group=group, metavar=metavar, is_unset=is_unset)
    return field(default=default, metadata={_DESCRIPTION: described})


def descriptions(params: Any) -> dict[str, Description]:
    """The descriptions of all parameters, by their names, in their order."""
    return {one.name: one.metadata[_DESCRIPTION] for one in fields(params)}


def check(params: Any) -> None:
    """Raises an InputError for the first value that is none of those that its parameter may have."""
    for one in fields(params):
        value, kind = getattr(params, one.name), one.metadata[_DESCRIPTION].kind
        if not (kind.accepts(value) or (value is None and one.default is None)):
            raise wrong_value(one.name, value, kind.expected)


def threads() -> Any:
    """The field for the number of threads."""
    text = "Use N threads. 0: one for each processor that is available to the job. The result does not depend on N."
    whole = Number(expected=f"a whole number from 0 to {MAX_THREADS}", low=0, high=MAX_THREADS, whole=True)
    return parameter(0, whole, "Running", text, "N")
