"""Parameters for particles and their defaults, the same for the command line and for Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Literal

from cryodedup.errors import InputError, wrong_value
from cryodedup.names import named
from cryodedup.params.checks import MAX_THREADS, check_choices, check_switches, is_number, is_whole, remember

ShiftKey = Literal["auto", "alignments3D", "alignments2D", "none"]
ScoreOrder = Literal["auto", "higher", "lower"]
Priority = Literal["none", "input"]
NormalizeScores = Literal["auto", "none", "rank"]
HalfSetsRule = Literal["audit", "repair"]
Match = Literal["auto", "path", "name", "uid"]
VotesWhere = Literal["covered", "all"]

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
    """How duplicate particles are found, and which of them are kept.

    Parameters
    ----------
    min_separation_a
        Particles of one micrograph whose centres are at most this far apart are duplicates, in Å; 0: only those whose stored
        coordinates (and shifts, if used) are equal.
    pixel_size_a
        Pixel size of the coordinates, Å, used where neither ``micrographs`` nor the input gives a certain one: one value for all inputs, or
        a mapping from an input's path, file name or stem to its value. A value that differs from a certain one by more than 5 % is an
        error.
    pixel_size_override
        Use ``pixel_size_a`` whatever the files contain.
    micrographs
        A file of micrographs (``.star``, ``.cs``) or of tomograms (``tomograms.star``), for pixel sizes and, if known, extents.
        With ``min_votes`` it also sets which micrographs all inputs cover.
    tomograms
        A file with a number and a name of a tomogram in each line (or a STAR table of rlnTomoNumber and rlnTomoName), for inputs that
        number tomograms (Dynamo, STOPGAP).
    match
        Which names mean one micrograph, in one input and in several. ``auto``: those of one CryoSPARC uid, of one path, or of one name
        unless directories, extents or the particles in them show that they are two. ``path``, ``name``, ``uid``: by that alone.
    shift_key
        Which alignment shifts move the centres. ``auto``: alignments3D if all inputs have it; else alignments2D if there is one input,
        with images of one job, and it has it; else none. The origins of a STAR file count as alignments3D if its Tilt or Rot angles vary,
        else as alignments2D.
    score_field
        A column of every input; ``auto``: the picking score if there is one, else input order; ``none``: random.
    min_score
        Reject particles whose score is below this before anything else; they are no duplicates, and others are not compared with them.
        One value for all inputs that have a score, or a mapping from an input's path, file name or stem to its value. Particles whose
        score is missing stay.
    score_order
        Which scores are better; ``auto``: known for the usual fields.
    start_end
        Take two rows of RELION's coordinate files as the start and the end of one helix. Two helices are duplicates if both ends are at
        most ``min_separation_a`` apart, in either order; both rows are kept or rejected together.
    flip_y
        Count y of CryoSPARC inputs from the other edge of the micrograph, as files of other programs may do.
    remove_entirely
        Reject every particle that has a duplicate, instead of keeping the best.
    priority
        ``input``: a particle of an earlier input wins over one of a later input whatever their scores.
    normalize_scores
        ``rank``: compare ranks within each input instead of scores; ``auto``: rank if there are several inputs.
    min_votes
        Keep only particles that at least this many inputs found: sets of duplicates with members from that many inputs.
    votes_where
        ``covered``: in a micrograph that fewer than ``min_votes`` inputs cover, all of these have to have found a particle; an input
        covers the micrographs that it has picks or an empty file of picks for, or all of ``micrographs``. ``all``: the same number
        everywhere.
    half_sets
        ``audit``: count duplicates across the half-sets of a refinement; ``repair``: also put all particles that are connected by
        duplicates into one half, that of the best of them, and write ``particles_repaired``: all particles, with new half-sets.
    undo_symmetry_expansion
        Keep one copy of each particle of a symmetry expansion. Copies have equal ``sym_expand/src_uid`` if the input has it, else
        equal stored coordinates. Sets ``min_separation_a`` to 0 and ``shift_key`` to none.
    seed
        Seed of the random ranks (``score_field`` none), 0 or more.
    diameter_a
        Diameter of the particles, Å, as circles on the page and in plots; None: ``min_separation_a``. It changes nothing else.
    threads
        0: one for each processor that this process may use. The result does not depend on it.
    """

    min_separation_a: float = 20.0
    pixel_size_a: float | Mapping[str, float] | None = None
    pixel_size_override: bool = False
    micrographs: Path | str | None = None
    tomograms: Path | str | None = None
    match: Match = "auto"
    shift_key: ShiftKey = "auto"
    score_field: str = "auto"
    min_score: float | Mapping[str, float] | None = None
    score_order: ScoreOrder = "auto"
    start_end: bool = False
    flip_y: bool = False
    remove_entirely: bool = False
    priority: Priority = "none"
    normalize_scores: NormalizeScores = "auto"
    min_votes: int = 1
    votes_where: VotesWhere = "covered"
    half_sets: HalfSetsRule = "audit"
    undo_symmetry_expansion: bool = False
    seed: int = 0
    diameter_a: float | None = None
    threads: int = 0
    unused: tuple[str, ...] = field(init=False, default=(), repr=False)

    def __post_init__(self) -> None:
        remember(self)
        self._check_kinds()
        self._check_named_numbers()
        for name in ("micrographs", "tomograms"):
            path = getattr(self, name)
            if not isinstance(path, str | PathLike | None):
                raise wrong_value(name, path, "a path")
            if path is not None:
                object.__setattr__(self, name, Path(path))
        if self.undo_symmetry_expansion:
            self._undo_symmetry_expansion()
        if self.min_separation_a < 0:
            raise wrong_value("min_separation_a", self.min_separation_a, "a number of Å, 0 or more")
        if self.diameter_a is not None and not (is_number(self.diameter_a) and self.diameter_a > 0):
            raise wrong_value("diameter_a", self.diameter_a, "a positive number of Å")
        check_choices(self, _CHOICES)
        self._check_ranges()
        self._check_rules()

    def _check_kinds(self) -> None:
        check_switches(self, ["pixel_size_override", "start_end", "flip_y", "remove_entirely", "undo_symmetry_expansion"])
        if not is_number(self.min_separation_a):
            raise wrong_value("min_separation_a", self.min_separation_a, "a number of Å, 0 or more")
        for name in ("threads", "seed", "min_votes"):
            if not is_whole(getattr(self, name)):
                raise wrong_value(name, getattr(self, name), "a whole number")

    def _undo_symmetry_expansion(self) -> None:
        """Sets what it stands for."""
        if self.min_separation_a not in (0, type(self).min_separation_a):
            given = named("min_separation_a", f"{self.min_separation_a:g}")
            text = f"{given} not used: undoing a symmetry expansion compares origins or exact coordinates"
            object.__setattr__(self, "unused", (text,))
        if self.shift_key not in ("auto", "none"):
            raise InputError(
                kind="conflict",
                field=named("shift_key"),
                found=f"{self.shift_key}",
                expected=f"none with {named('undo_symmetry_expansion')}, which compares stored coordinates",
            )
        object.__setattr__(self, "min_separation_a", 0.0)
        object.__setattr__(self, "shift_key", "none")

    def _check_ranges(self) -> None:
        if not (0 <= self.threads <= MAX_THREADS and self.seed >= 0):
            name, value = ("seed", self.seed) if self.seed < 0 else ("threads", self.threads)
            limit = f", {MAX_THREADS} at most" if name == "threads" else ""
            raise wrong_value(name, value, f"0 or more{limit}")
        if self.min_votes < 1:
            raise wrong_value("min_votes", self.min_votes, "1 or more")

    def _check_rules(self) -> None:
        """Choices that contradict each other."""
        if self.min_votes > 1 and self.remove_entirely:
            raise InputError(
                kind="conflict",
                field=f"{named('min_votes')} and {named('remove_entirely')}",
                found="both",
                expected="one: particles of several inputs have duplicates",
            )
        removes = self.min_votes > 1 or self.remove_entirely or self.undo_symmetry_expansion or self.min_score is not None
        if self.half_sets == "repair" and removes:
            raise InputError(
                kind="conflict",
                field=named("half_sets", "repair"),
                found=f"{named('min_votes')}, {named('min_score')}, {named('remove_entirely')} or {named('undo_symmetry_expansion')}",
                expected="none: a repair removes nothing",
            )
        if self.min_score is not None and self.score_field == "none":
            raise InputError(
                kind="conflict",
                field=f"{named('min_score')} and {named('score_field', 'none')}",
                found="both",
                expected="one: random scores have no meaning",
            )
        if not isinstance(self.score_field, str):
            raise wrong_value("score_field", self.score_field, "the name of a column")

    def _check_named_numbers(self) -> None:
        """Numbers for all inputs, or for some by their names."""
        for name in ("pixel_size_a", "min_score"):
            given = getattr(self, name)
            if isinstance(given, Mapping) and not all(isinstance(of, str) for of in given):
                raise wrong_value(name, given, "names of inputs and their values")
            for value in [] if given is None else given.values() if isinstance(given, Mapping) else [given]:
                if not is_number(value):
                    raise wrong_value(name, value, "a number")
                if name == "pixel_size_a" and value <= 0:
                    raise wrong_value(name, value, "a positive number of Å")
        given = self.pixel_size_a
        if self.pixel_size_override and not given:
            raise InputError(
                kind="conflict", field=named("pixel_size_override"), found=f"no {named('pixel_size_a')}", expected="the one to use"
            )
