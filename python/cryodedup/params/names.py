"""Messages with the names of parameters instead of those of options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import cache

from cryodedup.errors import InputError
from cryodedup.names import option_of
from cryodedup.params.micrographs import MicrographParams
from cryodedup.params.particles import ParticleParams

_VALUES = (r"\d[\d.]*(?![\w.])", r"(?:path|name|uid|repair|none|input|rank|time|higher or lower)\b", r"[\w.]+\.star\b")
"""Values that messages give behind an option: numbers, choices, names of files."""
_OPTION = re.compile(rf"(?<![\w/.-])(--write star|--[a-z][a-z-]*)(?: ({'|'.join(_VALUES)}))?")
_ARGUMENTS = {
    "--overwrite": "overwrite=True",
    "--resume": "resume=True",
    "--output": "directory",
    "--no-report": "report=False",
    "--write star": "as_star=True",
}
"""Options that are no fields of parameters, and what does the same in Python."""


def in_python(text: str) -> str:
    """A message of the command line with the names of the parameters instead of the options.

    Examples
    --------
    >>> in_python("found no pixel size; give --micrographs micrographs.star, or --pixel-size")
    'found no pixel size; give micrographs="micrographs.star", or pixel_size_a'
    >>> in_python("use --half-sets repair; see cryodedup --help")
    'use half_sets="repair"; see cryodedup --help'
    """
    return _OPTION.sub(lambda found: _assigned(_parameters()[found[1]], found[2]) if found[1] in _parameters() else found[0], text)


def _assigned(name: str, value: str | None) -> str:
    """A parameter, with its value if the text gives one."""
    if value is None:
        return name
    return f"{name}={value}" if value[0].isdigit() else f'{name}="{value}"' if " " not in value else f"{name} {value}"


@contextmanager
def naming_parameters() -> Iterator[None]:
    """Errors name parameters, not the options of the command line."""
    try:
        yield
    except InputError as error:
        raise error.but(**{name: in_python(part) for name, part in error._parts.items() if isinstance(part, str)}) from None


@cache
def _parameters() -> dict[str, str]:
    """The parameter that each option sets."""
    names = [field.name for kind in (ParticleParams, MicrographParams) for field in fields(kind)]
    return {option_of(name): name for name in names} | _ARGUMENTS
