"""Parameters for particles and their defaults, the same for the command line and for Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from cryodedup.errors import InputError
from cryodedup.names import named
from cryodedup.params.description import Choice, File, Number, OfInputs, Switch, Text, check, parameter, threads

ShiftKey = Literal["auto", "alignments3D", "alignments2D", "none"]
ScoreOrder = Literal["auto", "higher", "lower"]
Priority = Literal["none", "input"]
NormalizeScores = Literal["auto", "none", "rank"]
HalfSetsRule = Literal["audit", "repair"]
Match = Literal["auto", "path", "name", "uid"]
VotesWhere = Literal["covered", "all"]

DUPLICATES, INPUT, RANKING, RUNNING = "Duplicates", "Input files", "Ranking and selection", "Running"


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

    min_separation_a: float = parameter(
        20.0,
        Number(expected="a number of Å, 0 or more", low=0.0),
        DUPLICATES,
        "Count particles of one micrograph as duplicates if their centres are at most this far apart. 0: only if their stored coordinates"
        " (and shifts, if used) are equal.",
        "Å",
    )
    shift_key: ShiftKey = parameter(
        "auto",
        Choice(ShiftKey),
        DUPLICATES,
        "Subtract these shifts from the coordinates. auto: alignments3D if all inputs have them, alignments2D for a single input with"
        " images of one job, otherwise none.",
        "KEY",
    )
    flip_y: bool = parameter(
        False,
        Switch(),
        DUPLICATES,
        "Count y of CryoSPARC inputs from the opposite edge of the micrograph. A warning says when this seems necessary.",
    )
    undo_symmetry_expansion: bool = parameter(
        False,
        Switch(),
        DUPLICATES,
        f"Keep one copy of each particle after a symmetry expansion. {named('min_separation_a')} is then not used.",
    )
    pixel_size_a: float | Mapping[str, float] | None = parameter(
        None,
        OfInputs(Number(expected="a positive number of Å", low=0.0, open=True)),
        INPUT,
        "Set the pixel size of coordinates for inputs that do not give it. NAME=Å: for one input, by path or file name (suffix optional).",
        "Å",
    )
    pixel_size_override: bool = parameter(False, Switch(), INPUT, f"Use {named('pixel_size_a')} even if the files give another pixel size.")
    micrographs: Path | str | None = parameter(
        None,
        File(),
        INPUT,
        "Read pixel sizes and image sizes from micrographs.star, tomograms.star or exposures .cs; show the images in the report.",
        "FILE",
    )
    match: Match = parameter(
        "auto",
        Choice(Match),
        INPUT,
        "Match micrographs of different inputs only by path, name or uid. auto: by all three, unless there is evidence that they differ.",
    )
    tomograms: Path | str | None = parameter(
        None,
        File(),
        INPUT,
        "Read the names of numbered tomograms (Dynamo, STOPGAP) from this file: a number and a name in each line.",
        "FILE",
    )
    start_end: bool = parameter(
        False,
        Switch(),
        INPUT,
        "Read each two rows of RELION's coordinate files as the start and the end of one helix, and keep or reject them together.",
    )
    score_field: str = parameter(
        "auto",
        Text(),
        RANKING,
        "Rank duplicates by this column. auto: the picking score, else input order. none: random order.",
        "NAME",
    )
    score_order: ScoreOrder = parameter(
        "auto",
        Choice(ScoreOrder),
        RANKING,
        "Set which score is better, the higher or the lower. auto: as known for the usual columns.",
    )
    min_score: float | Mapping[str, float] | None = parameter(
        None,
        OfInputs(Number(expected="a number")),
        RANKING,
        "Reject particles with a lower score before the search for duplicates. NAME=SCORE: in one input, by path or file name (suffix"
        " optional).",
        "SCORE",
    )
    normalize_scores: NormalizeScores = parameter(
        "auto",
        Choice(NormalizeScores),
        RANKING,
        "Compare scores as they are (none) or as ranks within each input (rank). auto: rank for several inputs, none for one.",
    )
    priority: Priority = parameter(
        "none", Choice(Priority), RANKING, "Prefer particles of earlier inputs, regardless of their scores (input)."
    )
    min_votes: int = parameter(
        1,
        Number(expected="a whole number, 1 or more", low=1, whole=True),
        RANKING,
        "Keep only particles that are found in at least N inputs.",
        "N",
    )
    votes_where: VotesWhere = parameter(
        "covered",
        Choice(VotesWhere),
        RANKING,
        "In micrographs that fewer than N inputs cover, require the votes of all these inputs (covered), or N votes (all).",
    )
    half_sets: HalfSetsRule = parameter(
        "audit",
        Choice(HalfSetsRule),
        RANKING,
        "Count duplicates across half-sets (audit), or move all duplicates of a particle into one half-set and remove nothing (repair).",
    )
    remove_entirely: bool = parameter(
        False, Switch(), RANKING, "Reject every particle that has a duplicate, instead of keeping the best one."
    )
    seed: int = parameter(
        0,
        Number(expected="a whole number, 0 or more", low=0, whole=True),
        RANKING,
        f"Set the random seed for {named('score_field', 'none')}.",
        "N",
    )
    diameter_a: float | None = parameter(
        None,
        Number(expected="a positive number of Å", low=0.0, open=True),
        RUNNING,
        f"Draw particles in the report as circles of this diameter.  [default: {named('min_separation_a')}]",
        "Å",
    )
    threads: int = threads()

    def __post_init__(self) -> None:
        check(self)
        self._check_rules()

    @property
    def unused(self) -> tuple[str, ...]:
        """Returns what is said about values that ``undo_symmetry_expansion`` replaces."""
        if not self.undo_symmetry_expansion or self.min_separation_a in (0, type(self).min_separation_a):
            return ()
        given = named("min_separation_a", f"{self.min_separation_a:g}")
        return (f"{given} not used: undoing a symmetry expansion compares origins or exact coordinates",)

    @property
    def used_separation_a(self) -> float:
        """``min_separation_a``, or what ``undo_symmetry_expansion`` puts in its place."""
        return 0.0 if self.undo_symmetry_expansion else self.min_separation_a

    @property
    def used_shift_key(self) -> ShiftKey:
        """``shift_key``, or what ``undo_symmetry_expansion`` puts in its place."""
        return "none" if self.undo_symmetry_expansion else self.shift_key

    def used(self) -> dict[str, Any]:
        """All parameters by their names, with the values that are used."""
        return asdict(self) | {"min_separation_a": self.used_separation_a, "shift_key": self.used_shift_key}

    def _check_rules(self) -> None:
        """Refuses choices that contradict each other."""
        if self.undo_symmetry_expansion and self.shift_key not in ("auto", "none"):
            raise InputError(
                kind="conflict",
                field=named("shift_key"),
                found=f"{self.shift_key}",
                expected=f"none with {named('undo_symmetry_expansion')}, which compares stored coordinates",
            )
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
        if self.pixel_size_override and not self.pixel_size_a:
            raise InputError(
                kind="conflict", field=named("pixel_size_override"), found=f"no {named('pixel_size_a')}", expected="the one to use"
            )
