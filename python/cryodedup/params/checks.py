"""Checks of the values of parameters; an error names the parameter, what was found and what was expected."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any, TypeGuard, TypeVar, get_args

import numpy as np

from cryodedup.errors import InputError, wrong_value

MAX_THREADS = 1024
_GIVEN = "_given"
Params = TypeVar("Params")


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite real number, and not a bool."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond the floats
        return False


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number, and not a bool."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_switches(params: object, names: Iterable[str]) -> None:
    """Refuses what is neither true nor false."""
    for name in names:
        if not isinstance(getattr(params, name), bool | np.bool_):
            raise wrong_value(name, getattr(params, name), "True or False")


def check_choices(params: object, choices: Mapping[str, Any]) -> None:
    """Refuses values that are not in the ``Literal`` of a parameter."""
    for name, literal in choices.items():
        allowed, value = get_args(literal), getattr(params, name)
        if value not in allowed:
            raise wrong_value(name, value, " or ".join(allowed))


def check_at_most(params: object, limits: Mapping[str, int]) -> None:
    """Refuses numbers above a limit."""
    for name, limit in limits.items():
        if getattr(params, name) > limit:
            raise wrong_value(name, getattr(params, name), f"at most {limit}")


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
        Something else, or a name that no parameter has.
    """
    base = checked(params, kind)
    names = [field.name for field in fields(kind) if field.init]  # type: ignore[arg-type]
    unknown = next((name for name in given if name not in names), None)
    if unknown is not None:
        alike = get_close_matches(unknown, names, n=1, cutoff=0.7)
        raise InputError(
            kind="parameter",
            field=unknown,
            found="no parameter of this name",
            expected=alike[0] if alike else f"one of those of {kind.__name__}",
        )
    return kind(**{**vars(base)[_GIVEN], **given})


def remember(params: object) -> None:
    """Keeps the values as they were given, before some of them set others: :func:`chosen` goes on from these."""
    object.__setattr__(params, _GIVEN, {field.name: getattr(params, field.name) for field in fields(params) if field.init})  # type: ignore[arg-type]
