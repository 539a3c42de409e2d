"""What can be chosen, and its defaults: once, for the command line and the API."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, TypeGuard, get_args

from cryodedup.errors import InputError

ShiftKey = Literal["auto", "alignments3D", "alignments2D", "none"]
ScoreOrder = Literal["auto", "higher", "lower"]
Priority = Literal["none", "input"]
NormalizeScores = Literal["auto", "none", "rank"]
HalfSetsRule = Literal["audit", "repair"]
Match = Literal["auto", "path", "name", "uid"]
VotesWhere = Literal["covered", "all"]

UNUSED_SEPARATION = "--min-separation {:g} not used: undoing a symmetry expansion compares origins or exact coordinates"
MOST_THREADS = 1024
_CHOICES = {
    "shift_key": ShiftKey,
    "score_order": ScoreOrder,
    "priority": Priority,
    "normalize_scores": NormalizeScores,
    "half_sets": HalfSetsRule,
    "match": Match,
    "votes_where": VotesWhere,
}


@dataclass(frozen=True, kw_only=True)
class ParticleParams:
    """How duplicate particles are found, and which of them stay.

    Parameters
    ----------
    min_separation_a
        Particles of one micrograph whose centres are at most this far apart are duplicates, in Å; 0: only those whose stored
        coordinates (and shifts, if used) are equal.
    pixel_size_a
        Pixel size of the coordinates, Å, where neither ``micrographs`` nor the input gives a certain one: one for all inputs, or a mapping
        from an input's path, file name or stem to its own. A value that differs from a certain one by more than 5 % is an error.
    pixel_size_override
        Use ``pixel_size_a`` whatever the files say.
    micrographs
        A file of micrographs (``.star``, ``.cs``) or of tomograms (``tomograms.star``): their pixel sizes, and where known their extents.
        With ``min_votes`` it also sets which micrographs all inputs cover.
    tomograms
        A file with a number and a name of a tomogram in each line (or a STAR table of rlnTomoNumber and rlnTomoName), for inputs that
        number tomograms (Dynamo, STOPGAP).
    match
        How micrographs of different inputs are matched. ``auto``: by CryoSPARC uid, path, then name, unless anything speaks for two:
        other uids, extents that differ by more than 2 %, both directories in one input. ``path``, ``name``, ``uid``: by that alone.
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
    min_votes
        Keep only particles that at least so many inputs found: sets of duplicates with members from as many.
    votes_where
        ``covered``: in a micrograph that fewer than ``min_votes`` inputs cover, all of these have to have found a particle; an input
        covers the micrographs that it has picks or an empty file of picks for, or all of ``micrographs``. ``all``: the same number
        everywhere.
    half_sets
        ``audit``: count duplicates across the half-sets of a refinement; ``repair``: also put all that hang together by duplicates into
        one half, that of the best of them; what is written then is ``particles_repaired``: all particles, with new half-sets.
    undo_symmetry_expansion
        Keep one of the particles that a symmetry expansion made of each: those of one ``sym_expand/src_uid`` where present, else those
        with equal stored coordinates: sets ``min_separation_a`` to 0 and ``shift_key`` to none.
    seed
        For random choice.
    threads
        0: one a processor. The result does not depend on it.
    """

    min_separation_a: float = 20.0
    pixel_size_a: float | Mapping[str, float] | None = None
    pixel_size_override: bool = False
    micrographs: Path | str | None = None
    tomograms: Path | str | None = None
    match: Match = "auto"
    shift_key: ShiftKey = "auto"
    score_field: str = "auto"
    score_order: ScoreOrder = "auto"
    flip_y: bool = False
    remove_entirely: bool = False
    priority: Priority = "none"
    normalize_scores: NormalizeScores = "auto"
    min_votes: int = 1
    votes_where: VotesWhere = "covered"
    half_sets: HalfSetsRule = "audit"
    undo_symmetry_expansion: bool = False
    seed: int = 0
    threads: int = 0
    unused: tuple[str, ...] = field(init=False, default=(), repr=False)

    def __post_init__(self) -> None:
        for name, kind, word in (
            ("min_separation_a", Real, "a number"),
            ("threads", Integral, "a whole number"),
            ("seed", Integral, "a whole number"),
            ("min_votes", Integral, "a whole number"),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, kind):
                raise InputError(f"{name}: found {value!r}, expected {word}")
        self._check_pixel_sizes()
        for name in ("micrographs", "tomograms"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, Path(getattr(self, name)))
        if self.undo_symmetry_expansion:
            if self.min_separation_a not in (0, type(self).min_separation_a):
                object.__setattr__(self, "unused", (UNUSED_SEPARATION.format(self.min_separation_a),))
            if self.shift_key not in ("auto", "none"):
                raise InputError(f"undo_symmetry_expansion compares stored coordinates; found shift_key {self.shift_key}, expected none")
            object.__setattr__(self, "min_separation_a", 0.0)
            object.__setattr__(self, "shift_key", "none")
        if not (math.isfinite(self.min_separation_a) and self.min_separation_a >= 0):
            raise InputError(f"min_separation_a: found {self.min_separation_a}, expected a number of Å, 0 or more")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in get_args(choices):
                raise InputError(f"{name}: found {getattr(self, name)!r}, expected {' or '.join(get_args(choices))}")
        if not (0 <= self.threads <= MOST_THREADS and self.seed >= 0):
            name, value = ("seed", self.seed) if self.seed < 0 else ("threads", self.threads)
            limit = f", {MOST_THREADS} at most" if name == "threads" else ""
            raise InputError(f"{name}: found {value}, expected 0 or more{limit}")
        if self.min_votes < 1:
            raise InputError(f"min_votes: found {self.min_votes}, expected 1 or more")
        if self.min_votes > 1 and self.remove_entirely:
            raise InputError("min_votes and remove_entirely: found both, expected one: what several inputs found has duplicates")
        if self.half_sets == "repair" and (self.min_votes > 1 or self.remove_entirely or self.undo_symmetry_expansion):
            raise InputError("half_sets repair removes nothing: found min_votes, remove_entirely or undo_symmetry_expansion, expected none")
        if not isinstance(self.score_field, str):
            raise InputError(f"score_field: found {self.score_field!r}, expected the name of a column")

    def _check_pixel_sizes(self) -> None:
        given = self.pixel_size_a
        for value in [] if given is None else given.values() if isinstance(given, Mapping) else [given]:
            if not is_number(value):
                raise InputError(f"pixel_size_a: found {value!r}, expected a number")
            if value <= 0:
                raise InputError(f"pixel_size_a: found {value}, expected a positive number of Å")
        if self.pixel_size_override and not given:
            raise InputError("pixel_size_override: found no pixel_size_a, expected the one to use")


Search = Literal["all", "window"]
Order = Literal["auto", "time", "name", "natural", "input"]
Keep = Literal["earliest", "best-ctf"]
Sensitivity = Literal["auto", "fast", "full"]


@dataclass(frozen=True, kw_only=True)
class MicrographParams:
    """How micrographs that show the same are found, and which of them stay.

    Parameters
    ----------
    search
        ``all``: every pair; ``window``: each image and those that follow it at certain distances, as microduplicate_screener does; None:
        ``window`` if one of the next three is not its default, else ``all``.
    images_per_move, images_per_hole, scan_range
        The window, in images: from ``images_per_move`` on, in steps of ``images_per_hole``, up to ``scan_range``; and multiples of
        ``images_per_hole``. All ≥ 1.
    order
        Of the exposures; ``auto``: time where all names or metadata tell it, else by name.
    fdr
        False-discovery rate up to which pairs are duplicates, between 0 and 1.
    threshold
        Decide by ``ccc`` at least this, instead of by ``fdr``; between -1 and 1. Without a window, pairs of significance below 4 are
        not looked at: no ccc worth the name is there.
    bin
        Pixels a side that are averaged.
    highpass
        Width of the rise from zero frequency, cycles per reduced pixel; IMOD's mtffilter has a second number, which has no effect.
    lowpass
        Where the fall begins, and its width, cycles per reduced pixel.
    max_shift
        Largest shift along an axis, pixels of the micrograph; None: up to where a tenth of the frame overlaps.
    search_angle_deg
        Largest rotation between two visits of a hole, degrees, 0 to 10. Up to 0.6 costs nothing more: the search as it is finds that.
        Beyond, each pair is compared at several turns, 1.2 degrees apart, which takes as many times as long.
    tilt_axis_deg
        Angle of the tilt axis in the micrographs, degrees counterclockwise from the y axis, as IMOD and SerialEM count it; needed where
        some were taken at another stage tilt, and the metadata (EPU's ``.xml``) tell the tilt only. None: that of SerialEM's ``.mdoc``.
    keep
        Which of a set stays: the ``earliest``, or the one of best fitted CTF (``rlnCtfMaxResolution``, ``ctf_stats/ctf_fit_to_A``).
    min_overlap
        A micrograph is removed if it shares at least this part of the frame, 0 to 1, with one that is kept; pairs that share less are
        listed, and both stay. None: 0.5 when deciding by ``fdr``, 0 with ``threshold``.
    max_removed
        Largest share of the exposures, 0 to 1, that may be removed as duplicates; beyond it the result is withheld.
    max_set
        Largest number of exposures in a set, 1 or more; beyond it the result is withheld.
    self_test
        Plant second exposures of the session's own micrographs, search them in the same way, and report how many are found.
    sensitivity
        How large sessions are screened. ``auto``: in groups where their signal allows it, else pair by pair; ``full``: always pair by
        pair; ``fast``: always in groups.
    threads
        0: one a processor. The result does not depend on it.
    """

    search: Search | None = None
    images_per_move: int = 16
    images_per_hole: int = 4
    scan_range: int = 48
    order: Order = "auto"
    fdr: float = 0.01
    threshold: float | None = None
    bin: int = 8
    highpass: tuple[float, ...] = (0.04, 0.02)
    lowpass: tuple[float, float] = (0.25, 0.05)
    max_shift: float | None = None
    search_angle_deg: float = 0.5
    tilt_axis_deg: float | None = None
    keep: Keep = "earliest"
    min_overlap: float | None = None
    max_removed: float = 0.35
    max_set: int = 8
    self_test: bool = False
    sensitivity: Sensitivity = "auto"
    threads: int = 0

    def __post_init__(self) -> None:
        for name in ("bin", "images_per_move", "images_per_hole", "scan_range", "max_set", "threads"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral) or value < (0 if name == "threads" else 1):
                raise InputError(f"{name}: found {value!r}, expected a whole number, {0 if name == 'threads' else 1} or more")
        if not isinstance(self.self_test, bool):
            raise InputError(f"self_test: found {self.self_test!r}, expected True or False")
        for name, limit in (("threads", MOST_THREADS), ("bin", MOST_BIN)):
            if getattr(self, name) > limit:
                raise InputError(f"{name}: found {getattr(self, name)}, expected at most {limit}")
        for name, (least, most, reach) in _MICROGRAPH_RANGES.items():
            value = getattr(self, name)
            if value is None and name in _OPTIONAL:
                continue
            if not (is_number(value) and least <= value <= most and (name != "fdr" or 0 < value < 1)):
                raise InputError(f"{name}: found {value!r}, expected a number, {reach}")
        reached = [name for name in _WINDOW if getattr(self, name) != getattr(type(self), name)]
        if self.search == "all" and reached:
            raise InputError(f"{reached[0]}: found {getattr(self, reached[0])} with search 'all', expected search 'window'")
        if self.search is None:
            object.__setattr__(self, "search", "window" if reached else "all")
        for name, choices in _MICROGRAPH_CHOICES.items():
            if getattr(self, name) not in get_args(choices):
                raise InputError(f"{name}: found {getattr(self, name)!r}, expected {' or '.join(get_args(choices))}")
        for name, numbers in (("highpass", (1, 2)), ("lowpass", (2,))):
            value = getattr(self, name)
            if not (isinstance(value, tuple | list) and len(value) in numbers and all(is_number(number) for number in value)):
                raise InputError(f"{name}: found {value!r}, expected {' or '.join(map(str, numbers))} numbers of cycles per reduced pixel")
            object.__setattr__(self, name, tuple(float(number) for number in value))
            if not all(0 <= number <= NYQUIST for number in self.__dict__[name]):
                raise InputError(f"{name}: found {value}, expected numbers from 0 to {NYQUIST} (Nyquist), cycles per reduced pixel")
        if self.lowpass[0] <= self.highpass[0]:
            raise InputError(f"lowpass {self.lowpass[0]:g} and highpass {self.highpass[0]:g}: expected the lowpass above the highpass")

    @property
    def turns_deg(self) -> list[float]:
        """Turns at which pairs are compared, 0 first: from each to the next the search finds pairs without one."""
        return _turns(self.search_angle_deg, REACHED_DEG)

    @property
    def screened_turns_deg(self) -> list[float]:
        """The same for screening, which sees less detail."""
        return _turns(self.search_angle_deg, SCREENED_DEG)

    @property
    def max_shift_reduced_px(self) -> float | None:
        """``max_shift`` in pixels of the reduced micrographs."""
        return None if self.max_shift is None else self.max_shift / self.bin

    @property
    def least_overlap(self) -> float:
        """``min_overlap``, or what stands for None."""
        if self.min_overlap is not None:
            return self.min_overlap
        return MIN_OVERLAP if self.threshold is None else 0.0

    def used(self) -> dict[str, Any]:
        """All parameters by name, with what stands for None where that depends on others."""
        return asdict(self) | {"min_overlap": self.least_overlap}

    @property
    def band(self) -> tuple[float, float, float]:
        """Highpass, lowpass and falloff of the images that ``ncc`` and ``ccc`` are of."""
        return (self.highpass[0], *self.lowpass)

    @property
    def search_band(self) -> tuple[float, float, float]:
        """That of the whitened images that are searched: with the default band-pass from 0.02, falling like a Gaussian of width 0.15."""
        return (self.highpass[0] / 2, 0.0, 0.6 * self.lowpass[0])


NYQUIST = 0.5
REACHED_DEG, SCREENED_DEG = 0.6, 1.0
"""Micrographs that are turned by no more than this against each other are found, and pass the screening, without being turned."""
MOST_ANGLE_DEG = 10.0
MOST_BIN = 64
MIN_OVERLAP = 0.5
"""Where an area that is seen twice and one that is seen once weigh the same."""
_MICROGRAPH_RANGES = {
    "fdr": (0.0, 1.0, "more than 0 and less than 1"),
    "threshold": (-1.0, 1.0, "from -1 to 1"),
    "max_shift": (0.0, math.inf, "0 or more"),
    "tilt_axis_deg": (-360.0, 360.0, "from -360 to 360 degrees"),
    "search_angle_deg": (0.0, MOST_ANGLE_DEG, f"from 0 to {MOST_ANGLE_DEG:g} degrees"),
    "min_overlap": (0.0, 1.0, "from 0 to 1"),
    "max_removed": (0.0, 1.0, "from 0 to 1"),
}
_OPTIONAL = ("threshold", "max_shift", "tilt_axis_deg", "min_overlap")
_WINDOW = ("images_per_move", "images_per_hole", "scan_range")
_MICROGRAPH_CHOICES = {"search": Search, "order": Order, "keep": Keep, "sensitivity": Sensitivity}


def _turns(most_deg: float, reached_deg: float) -> list[float]:
    """0, and as many turns on both sides that none up to the largest is further than so much from one."""
    steps = max(0, math.ceil((most_deg - reached_deg) / (2 * reached_deg) - 1e-9))
    return [0.0, *(sign * step * 2 * reached_deg for step in range(1, steps + 1) for sign in (1, -1))]


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite real number, and no truth value."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def checked(params: MicrographParams | None) -> MicrographParams:
    """The parameters, or their defaults.

    Raises
    ------
    InputError
        Something else.
    """
    if params is not None and not isinstance(params, MicrographParams):
        raise InputError(f"params: found {type(params).__name__}, expected MicrographParams")
    return params or MicrographParams()
