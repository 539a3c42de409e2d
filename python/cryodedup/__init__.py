"""cryodedup finds what was counted twice in cryo-EM: duplicate particles and duplicate micrographs."""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.processors import processors

if TYPE_CHECKING:
    from cryodedup.micrographs.arrays import Correlation, correlate, prepare
    from cryodedup.params import MicrographParams, ParticleParams
    from cryodedup.particles.arrays import Duplicates, deduplicate
    from cryodedup.results import (
        Applied,
        MicrographResult,
        ParticleResult,
        apply_choice,
        deduplicate_particles,
        find_duplicate_micrographs,
    )

__version__ = _core.__version__
__all__ = [
    "Applied",
    "Correlation",
    "Duplicates",
    "InputError",
    "MicrographParams",
    "MicrographResult",
    "ParticleParams",
    "ParticleResult",
    "__version__",
    "apply_choice",
    "correlate",
    "deduplicate",
    "deduplicate_particles",
    "find_duplicate_micrographs",
    "prepare",
]
_ROOMS = {
    "cryodedup.micrographs.arrays": ("Correlation", "correlate", "prepare"),
    "cryodedup.params": ("MicrographParams", "ParticleParams"),
    "cryodedup.particles.arrays": ("Duplicates", "deduplicate"),
}

_core.set_processors(processors())


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used: the command line starts without numpy."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = next((room for room, names in _ROOMS.items() if name in names), "cryodedup.results")
    globals()[name] = found = getattr(import_module(room), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)


if _core.DEBUG_BUILD:
    warnings.warn("cryodedup._core is a debug build: 20 times slower; build with maturin develop --release", stacklevel=2)
