"""Names of parameters in texts: marked where a text is made, spelled for its reader where it is shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

Spell: TypeAlias = Callable[[str], str]
""":func:`as_options` or :func:`as_parameters`."""
_BEGIN, _END = "\x0e", "\x0f"
"""Control characters that no text for people has; :func:`~cryodedup.text.shown` would replace them."""
_MARKED = re.compile(f"{_BEGIN}([a-z_0-9]+)(?:=([^{_END}]*))?{_END}")
_UNITS = re.compile("_(deg|a|px|cycles_per_px)$")
_LITERAL = re.compile(r"[-+]?\d[\d.]*(e[-+]?\d+)?|True|False|None")
_OPTIONS = {"directory": "--output", "report": "--no-report", "as_star": "--write star"}
"""Options whose names do not follow from those of the parameters."""


def named(parameter: str, value: object = None) -> str:
    """A parameter in a text, with a value if there is one, as :func:`as_options` and :func:`as_parameters` spell it.

    Parameters
    ----------
    parameter
        Its name in Python.
    value
        ``True`` or ``False`` for a switch that is to be set; ``NAME=VALUE`` for a mapping.
    """
    return f"{_BEGIN}{parameter}{_END}" if value is None else f"{_BEGIN}{parameter}={value}{_END}"


def as_options(text: str) -> str:
    """The text for the command line.

    >>> as_options(f"give {named('micrographs', 'a.star')}, or {named('pixel_size_a')}, and add {named('overwrite', True)}")
    'give --micrographs a.star, or --pixel-size, and add --overwrite'
    """
    return _MARKED.sub(lambda found: _option(found[1], found[2]), text)


def as_parameters(text: str) -> str:
    """The text for Python.

    >>> as_parameters(f"give {named('micrographs', 'a.star')}, or {named('pixel_size_a')}, and add {named('overwrite', True)}")
    'give micrographs="a.star", or pixel_size_a, and add overwrite=True'
    >>> as_parameters(named("min_score", "a.star=3"))
    'min_score={"a.star": 3}'
    """
    return _MARKED.sub(lambda found: _assigned(found[1], found[2]), text)


def bare(text: str) -> str:
    """The text with the bare names of parameters, without their values.

    >>> bare(named("half_sets", "repair"))
    'half_sets'
    """
    return _MARKED.sub(r"\1", text)


def option_of(parameter: str) -> str:
    """The option that sets a parameter: units are left out."""
    return _OPTIONS.get(parameter) or f"--{_UNITS.sub('', parameter).replace('_', '-')}"


def _option(parameter: str, value: str | None) -> str:
    return option_of(parameter) if value in (None, "True", "False") else f"{option_of(parameter)} {value}"


def _assigned(parameter: str, value: str | None) -> str:
    if value is None:
        return parameter
    name, is_pair, of_name = value.rpartition("=")
    return f'{parameter}={{"{name}": {of_name}}}' if is_pair else f"{parameter}={_quoted(value)}"


def _quoted(value: str) -> str:
    return value if _LITERAL.fullmatch(value) else f'"{value}"'
