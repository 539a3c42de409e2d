"""What can be chosen, and its defaults: once, for the command line and the API."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Literal, get_args

from cryodedup.errors import InputError

ShiftKey = Literal["auto", "alignments3D", "alignments2D", "none"]
ScoreOrder = Literal["auto", "higher", "lower"]
Priority = Literal["none", "input"]
NormalizeScores = Literal["auto", "none", "rank"]

MOST_THREADS = 1024
_CHOICES = {"shift_key": ShiftKey, "score_order": ScoreOrder, "priority": Priority, "normalize_scores": NormalizeScores}


@dataclass(frozen=True, kw_only=True)
class ParticleParams:
    """How duplicate particles are found, and which of them stay.

    Parameters
    ----------
    min_separation_a
        Particles of one micrograph whose centres are at most this far apart are duplicates, in Å; 0: only those whose stored
        coordinates (and shifts, if used) are equal.
    pixel_size_a
        Micrograph pixel size, Å, for inputs that do not tell it and that ``micrographs`` does not tell it for.
    micrographs
        A ``.star`` or ``.cs`` file of micrographs, for their pixel sizes.
    shift_key
        Which alignment shifts move the centres. ``auto``: alignments3D if all inputs have it; else alignments2D if there is one input
        and it has it; else none. The origins of a STAR file count as alignments3D if its Tilt or Rot angles vary, else as alignments2D.
    score_field
        A column of every input; ``auto``: the picking score if there is one, else input order; ``none``: random.
    score_order
        Which scores are better; ``auto``: known for the usual fields.
    flip_y
        Count y of CryoSPARC inputs from the other edge of the micrograph, where another program's files count it so.
    remove_entirely
        Reject every particle that has a duplicate, instead of keeping the best.
    priority
        ``input``: a particle of an earlier input wins over one of a later input whatever their scores.
    normalize_scores
        ``rank``: compare ranks within each input instead of scores; ``auto``: rank if there are several inputs.
    undo_symmetry_expansion
        Keep one of the particles that a symmetry expansion made of each: those of one ``sym_expand/src_uid`` where present, else those
        with equal stored coordinates: sets ``min_separation_a`` to 0 and ``shift_key`` to none.
    seed
        For random choice.
    threads
        0: one a processor. The result does not depend on it.
    """

    min_separation_a: float = 20.0
    pixel_size_a: float | None = None
    micrographs: Path | str | None = None
    shift_key: ShiftKey = "auto"
    score_field: str = "auto"
    score_order: ScoreOrder = "auto"
    flip_y: bool = False
    remove_entirely: bool = False
    priority: Priority = "none"
    normalize_scores: NormalizeScores = "auto"
    undo_symmetry_expansion: bool = False
    seed: int = 0
    threads: int = 0

    def __post_init__(self) -> None:
        numbers = {"min_separation_a": self.min_separation_a, "pixel_size_a": self.pixel_size_a, "threads": self.threads, "seed": self.seed}
        for name, value in numbers.items():
            kind, word = (Integral, "a whole number") if name in ("threads", "seed") else (Real, "a number")
            if isinstance(value, bool) or not (isinstance(value, kind) or (value is None and name == "pixel_size_a")):
                raise InputError(f"{name}: found {value!r}, expected {word}")
        if self.micrographs is not None:
            object.__setattr__(self, "micrographs", Path(self.micrographs))
        if self.undo_symmetry_expansion:
            if self.shift_key not in ("auto", "none"):
                raise InputError(f"undo_symmetry_expansion compares stored coordinates; found shift_key {self.shift_key}, expected none")
            object.__setattr__(self, "min_separation_a", 0.0)
            object.__setattr__(self, "shift_key", "none")
        if not (math.isfinite(self.min_separation_a) and self.min_separation_a >= 0):
            raise InputError(f"min_separation_a: found {self.min_separation_a}, expected a number of Å, 0 or more")
        if self.pixel_size_a is not None and not (math.isfinite(self.pixel_size_a) and self.pixel_size_a > 0):
            raise InputError(f"pixel_size_a: found {self.pixel_size_a}, expected a positive number of Å")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in get_args(choices):
                raise InputError(f"{name}: found {getattr(self, name)!r}, expected {' or '.join(get_args(choices))}")
        if not (0 <= self.threads <= MOST_THREADS and self.seed >= 0):
            raise InputError(f"threads and seed: found {self.threads} and {self.seed}, expected 0 or more, {MOST_THREADS} threads at most")
        if not isinstance(self.score_field, str):
            raise InputError(f"score_field: found {self.score_field!r}, expected the name of a column")
