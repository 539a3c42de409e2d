"""cryodedup finds what was counted twice in cryo-EM: duplicate particles and duplicate micrographs."""

import warnings

from cryodedup import _core
from cryodedup.apply.result import Applied
from cryodedup.apply.workflow import apply_choice
from cryodedup.errors import InputError
from cryodedup.micrographs.arrays import Correlation, correlate, prepare
from cryodedup.micrographs.result import MicrographResult
from cryodedup.micrographs.workflow import find_duplicate_micrographs
from cryodedup.params import MicrographParams, ParticleParams
from cryodedup.particles.arrays import Duplicates, deduplicate
from cryodedup.particles.result import ParticleResult
from cryodedup.particles.workflow import deduplicate_particles

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

if _core.DEBUG_BUILD:
    warnings.warn("cryodedup._core is a debug build: 20 times slower; build with maturin develop --release", stacklevel=2)
