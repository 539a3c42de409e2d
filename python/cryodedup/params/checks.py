"""Parameters as they are given, with their defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from numbers import Real
from typing import Any, TypeGuard, TypeVar

from cryodedup.errors import InputError

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
