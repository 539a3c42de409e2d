"""Results that nobody can change once they are made."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, NoReturn, TypeVar

import numpy as np

Value = TypeVar("Value")


class FrozenDict(dict[Any, Any]):
    """A dict that stays as it is made."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a result cannot be changed; make a dict of this mapping to change a copy")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (dict(self),)


def frozen(value: Value) -> Value:
    """The same value with tuples in place of lists, read-only mappings and arrays, in frozen dataclasses, too, however deep."""
    result: Any = value
    if isinstance(value, np.ndarray):
        value.setflags(write=False)
    elif isinstance(value, list | tuple):
        items = [frozen(item) for item in value]
        if isinstance(value, list):
            result = tuple(items)
        elif any(new is not old for new, old in zip(items, value, strict=True)):
            result = type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    elif isinstance(value, dict) and not isinstance(value, FrozenDict):
        result = FrozenDict({key: frozen(item) for key, item in value.items()})
    elif is_dataclass(value) and not isinstance(value, type) and value.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        given = {one.name: getattr(value, one.name) for one in fields(value) if one.init}
        changed = {name: new for name, old in given.items() if (new := frozen(old)) is not old}
        result = replace(value, **changed) if changed else value
    return result  # type: ignore[no-any-return]
