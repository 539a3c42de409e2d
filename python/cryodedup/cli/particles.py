"""``cryodedup particles``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import rich_click as click

from cryodedup.cli import options
from cryodedup.cli.console import say
from cryodedup.cli.options import EACH_ONES
from cryodedup.cli.particle_lines import show, show_advice
from cryodedup.cli.progress import Display
from cryodedup.errors import InputError
from cryodedup.formats.output import NOT_WRITTEN
from cryodedup.names import as_options
from cryodedup.output_directory import check_directory
from cryodedup.params import HalfSetsRule, Match, NormalizeScores, ParticleParams, Priority, ScoreOrder, ShiftKey, VotesWhere
from cryodedup.particles.forecast import Forecast
from cryodedup.particles.summary import summarise
from cryodedup.particles.workflow import find_duplicates
from cryodedup.write.job import Delivered
from cryodedup.write.particles import write_particles

DEFAULTS = ParticleParams()


class NamedNumber(click.ParamType[Any]):
    """A number, or NAME=NUMBER for the input of this name."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        """To a name, empty if it is for all inputs, and a number."""
        name, _, number = str(value).rpartition("=")
        try:
            return name, float(number)
        except ValueError:
            option = param.opts[0] if param is not None else ""
            raise InputError(kind="parameter", field=option, found=f"{value!r}", expected="a number, or NAME=VALUE") from None


class Length(click.ParamType[Any]):
    """Å, with or without the unit behind the number."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """To a number."""
        number = re.sub(r"\s*(?:[\u00c5\u212bA]|A\u030a)$", "", str(value).strip())
        try:
            return float(number)
        except ValueError:
            name = param.opts[0] if param is not None else "length"
            raise InputError(kind="parameter", field=name, found=f"{value!r}", expected="a number of Å, such as 40") from None


click.rich_click.OPTION_GROUPS["cryodedup particles"] = [
    {
        "name": "Duplicates",
        "options": ["--min-separation", "--shift-key", "--flip-y", "--undo-symmetry-expansion"],
    },
    {
        "name": "Input files",
        "options": ["--pixel-size", "--pixel-size-override", "--micrographs", "--match", "--tomograms", "--start-end"],
    },
    {
        "name": "Ranking and selection",
        "options": [
            "--score-field",
            "--score-order",
            "--min-score",
            "--normalize-scores",
            "--priority",
            "--min-votes",
            "--votes-where",
            "--half-sets",
            "--remove-entirely",
            "--seed",
        ],
    },
    {"name": "Running", "options": ["--dry-run", "--advise", "--diameter", "--write", *EACH_ONES]},
]


@click.command(no_args_is_help=True)
@options.inputs
@options.output
@click.option(
    "--min-separation",
    type=Length(),
    default=DEFAULTS.min_separation_a,
    show_default=True,
    metavar="Å",
    help="Count particles of one micrograph as duplicates if their centres are at most this far apart. 0: only if their stored"
    " coordinates (and shifts, if used) are equal.",
)
@click.option(
    "--pixel-size",
    type=NamedNumber(),
    multiple=True,
    metavar="[NAME=]Å",
    help="Set the pixel size of coordinates for inputs that do not give it. NAME=Å: for one input, by path or file name (suffix optional).",
)
@click.option("--pixel-size-override", is_flag=True, help="Use --pixel-size even if the files give another pixel size.")
@click.option(
    "--micrographs",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read pixel sizes and image sizes from micrographs.star, tomograms.star or exposures .cs; show the images in the report.",
)
@click.option(
    "--match",
    type=options.choice(Match),
    default=DEFAULTS.match,
    show_default=True,
    help="Match micrographs of different inputs only by path, name or uid. auto: by all three, unless there is evidence that they differ.",
)
@click.option(
    "--tomograms",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read the names of numbered tomograms (Dynamo, STOPGAP) from this file: a number and a name in each line.",
)
@click.option(
    "--shift-key",
    type=options.choice(ShiftKey),
    metavar="KEY",
    default=DEFAULTS.shift_key,
    show_default=True,
    help="Subtract these shifts from the coordinates. auto: alignments3D if all inputs have them, alignments2D for a single input"
    " with images of one job, otherwise none.",
)
@click.option(
    "--score-field",
    default=DEFAULTS.score_field,
    show_default=True,
    metavar="NAME",
    help="Rank duplicates by this column. auto: the picking score, else input order. none: random order.",
)
@click.option(
    "--score-order",
    type=options.choice(ScoreOrder),
    default=DEFAULTS.score_order,
    show_default=True,
    help="Set which score is better, the higher or the lower. auto: as known for the usual columns.",
)
@click.option(
    "--min-score",
    type=NamedNumber(),
    multiple=True,
    metavar="[NAME=]SCORE",
    help="Reject particles with a lower score before the search for duplicates. NAME=SCORE: in one input, by path or file name (suffix"
    " optional).",
)
@click.option(
    "--normalize-scores",
    type=options.choice(NormalizeScores),
    default=DEFAULTS.normalize_scores,
    show_default=True,
    help="Compare scores as they are (none) or as ranks within each input (rank). auto: rank for several inputs, none for one.",
)
@click.option(
    "--priority",
    type=options.choice(Priority),
    default=DEFAULTS.priority,
    show_default=True,
    help="Prefer particles of earlier inputs, regardless of their scores (input).",
)
@click.option(
    "--min-votes",
    type=int,
    default=DEFAULTS.min_votes,
    show_default=True,
    metavar="N",
    help="Keep only particles that are found in at least N inputs.",
)
@click.option(
    "--votes-where",
    type=options.choice(VotesWhere),
    default=DEFAULTS.votes_where,
    show_default=True,
    help="In micrographs that fewer than N inputs cover, require the votes of all these inputs (covered), or N votes (all).",
)
@click.option(
    "--half-sets",
    type=options.choice(HalfSetsRule),
    default=DEFAULTS.half_sets,
    show_default=True,
    help="Count duplicates across half-sets (audit), or move all duplicates of a particle into one half-set and remove nothing (repair).",
)
@click.option(
    "--start-end",
    is_flag=True,
    help="Read each two rows of RELION's coordinate files as the start and the end of one helix, and keep or reject them together.",
)
@click.option(
    "--flip-y",
    is_flag=True,
    help="Count y of CryoSPARC inputs from the opposite edge of the micrograph. A warning says when this seems necessary.",
)
@click.option("--remove-entirely", is_flag=True, help="Reject every particle that has a duplicate, instead of keeping the best one.")
@click.option(
    "--undo-symmetry-expansion",
    is_flag=True,
    help="Keep one copy of each particle after a symmetry expansion. --min-separation is then not used.",
)
@click.option("--seed", type=int, default=DEFAULTS.seed, show_default=True, help="Set the random seed for --score-field none.")
@options.threads
@options.overwrite
@options.no_report
@options.as_json
@click.option("--dry-run", is_flag=True, help="Print what would be rejected; write nothing.")
@click.option(
    "--advise",
    is_flag=True,
    help="Suggest a minimum separation from the nearest-neighbour distances, and print how many particles others keep; write nothing.",
)
@click.option(
    "--diameter",
    "diameter_a",
    type=Length(),
    metavar="Å",
    help="Draw particles in the report as circles of this diameter. [default: --min-separation]",
)
@click.option(
    "--write",
    "written_as",
    type=click.Choice(["star"]),
    help="Write all kept particles also as one STAR table, and as one index of coordinate files for RELION's Extract job (star).",
)
@options.quiet
@click.pass_obj
def particles(
    command: str | None,
    /,
    inputs: tuple[Path, ...],
    output: Path | None,
    min_separation: float,
    pixel_size: tuple[tuple[str, float], ...],
    overwrite: bool,
    no_report: bool,
    as_json: bool,
    dry_run: bool,
    advise: bool,
    written_as: str | None,
    quiet: bool,
    **chosen: Any,
) -> None:
    """Reject duplicate particles, and keep the best pick of each particle.

    INPUT... are any number of RELION .star files (particles, autopick indices, optimisation sets), CryoSPARC .cs or .csg files, folders or
    files of crYOLO .cbox and EMAN .box, Topaz .txt, .csv (micrograph, x, y), Dynamo .tbl, STOPGAP motive lists and IMOD points, in any
    combination. If a .cs file has no locations, give its passthrough file as well: the two are joined by uid.

    Example: cryodedup particles relion.star J12/particles.csg --min-separation 80 -o clean
    """
    writes = not (dry_run or advise)
    if output is None and writes:
        raise InputError(kind="parameter", expected="-o DIR, a directory for the results (or --dry-run)")
    params = chosen_params(min_separation, pixel_size, chosen)
    if output is not None and writes:
        check_directory(output, overwrite)
    with Display(sum(path.stat().st_size for path in inputs if path.is_file()), quiet=quiet) as display:
        found = find_duplicates(list(inputs), params, display, output=output if writes else None)
        delivered = Delivered([], summarise(found, NOT_WRITTEN))
        if output is not None and writes:
            display.stage("writing")
            how = {"overwrite": overwrite, "report": not no_report, "as_star": written_as == "star"}
            delivered = write_particles(found, output, command=command, spell=as_options, progress=display, **how)
    if advise:
        show_advice(found, as_json=as_json)
    elif as_json:
        expected = {"forecast": Forecast.of(found.joined.picks).summary()} if dry_run else {}
        options.show_json({**delivered.summary, **expected})
    elif not quiet:
        show(found, delivered)
        if dry_run:
            say(str(Forecast.of(found.joined.picks)))


def chosen_params(min_separation_a: float, pixel_size: Sequence[tuple[str, float]], chosen: Mapping[str, Any]) -> ParticleParams:
    """The parameters that options give.

    Raises
    ------
    InputError
        A value is wrong, or two options do not go together.
    """
    named = {"pixel_size_a": _by_input("--pixel-size", pixel_size), "min_score": _by_input("--min-score", chosen.get("min_score", ()))}
    return ParticleParams(min_separation_a=min_separation_a, **{**chosen, **named})


def _by_input(option: str, given: Sequence[tuple[str, float]]) -> float | dict[str, float] | None:
    """One for all inputs, or one for each that is named."""
    names = [name for name, _ in given]
    if len(set(names)) < len(names) or ("" in names and len(names) > 1):
        raise InputError(kind="parameter", field=option, found="several values", expected="one, or NAME=VALUE for each of several inputs")
    return dict(given) if any(names) else given[0][1] if given else None
