"""cryodedup finds duplicate particles and duplicate micrographs in cryo-EM data."""

# typing is not imported: that takes longer than the rest of this file, and a signal during an import ends in a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cryodedup._core import __version__
    from cryodedup.errors import InputError
    from cryodedup.jobs import apply_choice, deduplicate_particles, find_duplicate_micrographs
    from cryodedup.micrographs.arrays import Correlation, correlate, prepare
    from cryodedup.params import MicrographParams, ParticleParams
    from cryodedup.particles.arrays import Duplicates, deduplicate
    from cryodedup.results import Applied, MicrographResult, ParticleResult

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
    "cryodedup._core": ("__version__",),
    "cryodedup.errors": ("InputError",),
    "cryodedup.micrographs.arrays": ("Correlation", "correlate", "prepare"),
    "cryodedup.params": ("MicrographParams", "ParticleParams"),
    "cryodedup.particles.arrays": ("Duplicates", "deduplicate"),
    "cryodedup.results": ("Applied", "MicrographResult", "ParticleResult"),
}


def __getattr__(name: str) -> "Any":
    """Imports a public name when it is first used: the command line starts without numpy, and is ready for signals at once."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    import_module("cryodedup.system.resources").tell_core()
    room = next((room for room, names in _ROOMS.items() if name in names), "cryodedup.jobs")
    globals()[name] = found = getattr(import_module(room), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
