"""Messages with the names of parameters instead of those of options."""

from __future__ import annotations

import re
from dataclasses import fields
from functools import cache

from cryodedup.errors import option_of
from cryodedup.params.micrographs import MicrographParams
from cryodedup.params.particles import ParticleParams

_OPTION = re.compile(r"--[a-z][a-z-]*")
_ARGUMENTS = {"--overwrite": "overwrite", "--resume": "resume", "--output": "directory", "--no-report": "report=False"}
"""Options that are no fields of parameters, and what does the same in Python."""


def in_python(text: str) -> str:
    """A message of the command line with the names of the parameters instead of the options.

    Examples
    --------
    >>> in_python("found no pixel size; give --micrographs micrographs.star, or --pixel-size")
    'found no pixel size; give micrographs micrographs.star, or pixel_size_a'
    >>> in_python("use --half-sets repair; see cryodedup --help")
    'use half_sets repair; see cryodedup --help'
    """
    return _OPTION.sub(lambda found: _parameters().get(found[0], found[0]), text)


@cache
def _parameters() -> dict[str, str]:
    """The parameter that each option sets."""
    names = [field.name for kind in (ParticleParams, MicrographParams) for field in fields(kind)]
    return {option_of(name): name for name in names} | _ARGUMENTS
