"""Results that nobody can change once they are made."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, NoReturn, TypeVar

import numpy as np

Value = TypeVar("Value")
_ATOMS = frozenset({str, bytes, bool, int, float, type(None)})
"""There may be a million of them."""


class FrozenDict(dict[Any, Any]):
    """A dict that stays as it is made."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a result cannot be changed; make a dict of this mapping to change a copy")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return frozen, (dict(self),)


class FrozenResult:
    """A result that is as frozen in the process that unpickles it as where it was made."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(frozen(state))


def frozen(value: Value) -> Value:
    """The same value with tuples in place of lists, read-only mappings and arrays, in frozen dataclasses, too, however deep."""
    result: Any = value
    if type(value) in _ATOMS:
        return value
    if isinstance(value, np.ndarray):
        result = value.view() if value.flags.writeable else value  # not the array itself: it may be the caller's
        result.flags.writeable = False
    elif isinstance(value, list | tuple):
        items = [item if type(item) in _ATOMS else frozen(item) for item in value]
        if isinstance(value, list):
            result = tuple(items)
        elif any(new is not old for new, old in zip(items, value, strict=True)):
            result = type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    elif isinstance(value, dict) and not isinstance(value, FrozenDict):
        result = FrozenDict({key: frozen(item) for key, item in value.items()})
    elif names := _fields_of(type(value)):  # type: ignore[arg-type]
        changed = {}
        for name in names:
            old = getattr(value, name)
            if type(old) not in _ATOMS and (new := frozen(old)) is not old:
                changed[name] = new
        result = replace(value, **changed) if changed else value  # type: ignore[type-var]
    return result  # type: ignore[no-any-return]


@cache
def _fields_of(kind: type[Any]) -> tuple[str, ...]:
    """The fields of a frozen dataclass that it is made from; of other classes none."""
    is_frozen = is_dataclass(kind) and kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    return tuple(one.name for one in fields(kind) if one.init) if is_frozen else ()
