"""``cryodedup particles``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import rich_click as click

from cryodedup.cli import options
from cryodedup.cli.options import EACH_ONES, closing_table
from cryodedup.cli.progress import Progress
from cryodedup.directory import check_directory
from cryodedup.errors import InputError
from cryodedup.params import ParticleParams
from cryodedup.particles.analysis.consensus import outvoted_words
from cryodedup.particles.analysis.half_sets import half_set_lines
from cryodedup.particles.result import ParticleResult
from cryodedup.particles.workflow import deduplicate_particles
from cryodedup.words import count, shown

DEFAULTS = ParticleParams()


class PixelSize(click.ParamType[Any]):
    """Å, or NAME=Å."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        """To a name, empty if it is for all inputs, and a number."""
        name, _, number = str(value).rpartition("=")
        try:
            return name, float(number)
        except ValueError:
            raise InputError(f"--pixel-size: found {value!r}, expected a number of Å, or NAME=VALUE") from None


MOST_SHOWN, MOST_ROWS = 6, 20

click.rich_click.OPTION_GROUPS["cryodedup particles"] = [
    {
        "name": "What is a duplicate",
        "options": ["--min-separation", "--shift-key", "--flip-y", "--undo-symmetry-expansion"],
    },
    {
        "name": "What the files mean",
        "options": ["--pixel-size", "--pixel-size-override", "--micrographs", "--match", "--tomograms"],
    },
    {
        "name": "Which one stays",
        "options": [
            "--score-field",
            "--score-order",
            "--normalize-scores",
            "--priority",
            "--min-votes",
            "--votes-where",
            "--half-sets",
            "--remove-entirely",
            "--seed",
        ],
    },
    {"name": "Running", "options": ["--dry-run", "--advise", *EACH_ONES]},
]


@click.command(no_args_is_help=True)
@options.inputs
@options.output
@click.option(
    "--min-separation",
    type=float,
    default=DEFAULTS.min_separation_a,
    show_default=True,
    metavar="Å",
    help="Largest distance of duplicates, centre to centre. 0: equal stored coordinates (and shifts, if used).",
)
@click.option(
    "--pixel-size",
    type=PixelSize(),
    multiple=True,
    metavar="[NAME=]Å",
    help="Set the pixel size of coordinates for inputs that do not give it. NAME=Å: for the input of this path, file name or stem.",
)
@click.option("--pixel-size-override", is_flag=True, help="Use --pixel-size even where the files give another pixel size.")
@click.option(
    "--micrographs",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read pixel sizes and extents from micrographs.star, tomograms.star or exposures .cs; show the images on the page.",
)
@click.option(
    "--match",
    type=click.Choice(["auto", "path", "name", "uid"]),
    default=DEFAULTS.match,
    show_default=True,
    help="Match micrographs of different inputs by path, name or uid alone. auto: by all three; evidence for two micrographs wins.",
)
@click.option(
    "--tomograms",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read the names of numbered tomograms (Dynamo, STOPGAP): a number and a name in each line.",
)
@click.option(
    "--shift-key",
    type=click.Choice(["auto", "alignments3D", "alignments2D", "none"]),
    metavar="KEY",
    default=DEFAULTS.shift_key,
    show_default=True,
    help="Alignment shifts to subtract from the coordinates. auto: alignments3D if all inputs have them, alignments2D for a single input, "
    "otherwise none.",
)
@click.option(
    "--score-field",
    default=DEFAULTS.score_field,
    show_default=True,
    metavar="NAME",
    help="Column to rank duplicates by. auto: the picking score, else input order. none: random.",
)
@click.option(
    "--score-order",
    type=click.Choice(["auto", "higher", "lower"]),
    default=DEFAULTS.score_order,
    show_default=True,
    help="Direction of the score. auto: known for the usual columns.",
)
@click.option(
    "--normalize-scores",
    type=click.Choice(["auto", "none", "rank"]),
    default=DEFAULTS.normalize_scores,
    show_default=True,
    help="Compare scores as they are (none) or as ranks within each input (rank). auto: rank for several inputs.",
)
@click.option(
    "--priority",
    type=click.Choice(["none", "input"]),
    default=DEFAULTS.priority,
    show_default=True,
    help="Prefer particles of earlier inputs, whatever their scores (input).",
)
@click.option(
    "--min-votes", type=int, default=DEFAULTS.min_votes, show_default=True, metavar="N", help="Keep only particles that N inputs found."
)
@click.option(
    "--votes-where",
    type=click.Choice(["covered", "all"]),
    default=DEFAULTS.votes_where,
    show_default=True,
    help="Ask for fewer votes in micrographs that fewer than N inputs cover (covered), or for N everywhere (all).",
)
@click.option(
    "--half-sets",
    type=click.Choice(["audit", "repair"]),
    default=DEFAULTS.half_sets,
    show_default=True,
    help="Count duplicates across half-sets (audit), or put duplicates into one half-set and remove nothing (repair).",
)
@click.option("--flip-y", is_flag=True, help="Count y of CryoSPARC inputs from the other edge. A warning says when this seems necessary.")
@click.option("--remove-entirely", is_flag=True, help="Reject every particle that has a duplicate, instead of keeping the best.")
@click.option(
    "--undo-symmetry-expansion", is_flag=True, help="Keep one copy of each particle of a symmetry expansion. Ignores --min-separation."
)
@click.option("--seed", type=int, default=DEFAULTS.seed, show_default=True, help="Seed for --score-field none.")
@options.threads
@options.overwrite
@options.no_report
@options.as_json
@click.option("--dry-run", is_flag=True, help="Print what would be rejected; write nothing.")
@click.option(
    "--advise",
    is_flag=True,
    help="Suggest a minimum separation from the distances, and print how many particles stay at others; write nothing.",
)
@options.quiet
def particles(
    inputs: tuple[Path, ...],
    output: Path | None,
    min_separation: float,
    pixel_size: tuple[tuple[str, float], ...],
    overwrite: bool,
    no_report: bool,
    as_json: bool,
    dry_run: bool,
    advise: bool,
    quiet: bool,
    **chosen: Any,
) -> None:
    """Reject particles that were picked twice, keeping the best of each.

    INPUT... are any number of RELION .star files (particles, autopick indices, optimisation sets), CryoSPARC .cs or .csg files, folders or
    files of crYOLO .cbox and EMAN .box, Topaz .txt, Dynamo .tbl, STOPGAP motive lists and IMOD points, in any mixture. A .cs file without
    locations is joined by uid with the passthrough file named, too.

    Example: cryodedup particles relion.star J12/particles.csg --min-separation 80 -o clean
    """
    writes = not (dry_run or advise)
    if output is None and writes:
        raise InputError("found no --output, expected a directory for the results (-o DIR), or --dry-run")
    params = options.params_of(
        ParticleParams, {"min_separation_a": min_separation, "pixel_size_a": _pixel_sizes_chosen(pixel_size), **chosen}
    )
    if output is not None and writes:
        check_directory(output, overwrite)
    with Progress(sum(path.stat().st_size for path in inputs if path.is_file()), quiet=quiet) as progress:
        with options.naming_options(["min_votes"]):
            result = deduplicate_particles(list(inputs), params, say=progress.say, progress=progress)
        written = []
        if output is not None and writes:
            progress.say("writing")
            written = result.write(output, overwrite=overwrite, report=not no_report, command=options.command_line(), progress=progress)
    if advise:
        show_advice(result, as_json=as_json)
        return
    if as_json:
        options.show_json(result.summary())
    elif not quiet:
        show(result, written)


def _pixel_sizes_chosen(given: Sequence[tuple[str, float]]) -> float | dict[str, float] | None:
    """One for all inputs, or one for each that is named."""
    names = [name for name, _ in given]
    if len(set(names)) < len(names) or ("" in names and len(names) > 1):
        raise InputError("--pixel-size: found several values, expected one, or NAME=VALUE for each of several inputs")
    return dict(given) if any(names) else given[0][1] if given else None


def show_advice(result: ParticleResult, *, as_json: bool) -> None:
    """Prints what the distances suggest."""
    advice = result.advice()
    separation, n = result.params.min_separation_a, len(result.kept)
    if as_json:
        options.show_json({**result.summary(), "advice": None if advice is None else advice.summary()})
        return
    show_sources(result.summary())
    if advice is None:
        print("no distances to look at: there are fewer than two particles, or their pixel size is not known")
        return
    for text in [*advice.lines(n, separation), *half_set_lines(result)]:
        print(text)
    for warning in result.warnings:
        print(f"warning: {shown(warning)}")
    print("separation (Å)  stay")
    for tried, kept in zip(advice.separations_a, advice.kept, strict=True):
        print(f"{tried:14.1f}  {kept:,} ({100 * kept / n:.1f} %)")


def show_sources(summary: Mapping[str, Any]) -> None:
    """Prints what was read, and from it used."""
    for source in summary["sources"]:
        where = f"{count(source['particles'], 'particle')} in {count(source['micrographs'], 'micrograph')}"
        print(f"{shown(source['input'])}: {where} ({source['format']})")
        print(f"    pixel size: {_pixel_sizes(source['pixel_sizes'])}")
        print(f"    score: {_score(source['score'])}")
        place = f" → {source['written_to']}" if source["written_to"] else ""
        stay = f"kept {source['kept']:,}, rejected {source['rejected']:,}" if source["rejected"] else f"all {source['kept']:,} kept"
        print(f"    {stay}{place}")


def show(result: ParticleResult, written: list[Path]) -> None:
    """Prints what was found, and where it is."""
    summary = result.summary()
    show_sources(summary)
    ranked = result.params.normalize_scores == "rank" or (result.params.normalize_scores == "auto" and len(result.sources) > 1)
    print(f"shifts: {result.shift_key}; scores: {'ranks within each input' if ranked else 'as they stand'}")
    if result.overlaps is not None:
        _show_overlaps(result)
    what = (
        "duplicates by origin or exact coordinates"
        if result.params.undo_symmetry_expansion
        else f"within {result.params.min_separation_a:g} Å"
    )
    if result.repaired_halves is not None:
        moved = count(int((result.repaired_halves != result.halves).sum()), "particle")
        outcome = f"all stay, {count(len(result.rejected), 'duplicate')}, {moved} moved to the other half-set"
    else:
        outvoted = outvoted_words(result.outvoted, result.params.min_votes)
        share = 100 * summary["rejected"] / max(1, summary["particles"])
        outcome = f"kept {summary['kept']:,}, rejected {summary['rejected']:,} ({share:.1f} %){outvoted}"
    print(f"{count(summary['particles'], 'particle')} in {count(summary['micrographs'], 'micrograph')}, {what}: {outcome}")
    about_distances = result.suggestion.lines() if result.params.min_separation_a > 0 or not result.params.undo_symmetry_expansion else []
    for text in [*about_distances, *half_set_lines(result)]:
        print(text)
    for warning in result.warnings:
        print(f"warning: {shown(warning)}")
    for note in result.notes:
        print(f"note: {shown(note)}")
    for path in written:
        print(f"written: {path}")
    rows = [[source["input"], source["particles"], source["kept"], source["rejected"]] for source in summary["sources"]]
    total = [["all", summary["particles"], summary["kept"], summary["rejected"]]] if len(rows) > 1 else []
    closing_table(["input", "picks", "kept", "rejected"], rows[:MOST_ROWS] + total)


def _pixel_sizes(found: list[dict[str, Any]]) -> str:
    sizes: dict[str, list[str]] = {}
    for size in found:
        value = f"{size['pixel_size_a']:g} Å from {size['found_in']}" if size["pixel_size_a"] else size["found_in"]
        sizes.setdefault(value, []).append(size["of"])
    texts = [
        value if of in ([""], ["all"]) else f"{value} ({', '.join(of[:6])}{', ...' if len(of) > 6 else ''})" for value, of in sizes.items()
    ]
    return "; ".join(texts) or "not needed: no particles"


def _score(score: dict[str, Any]) -> str:
    if score["field"] is None:
        return "none: an earlier particle is better"
    if score["field"] == "random":
        return f"random, seed {score['seed']}"
    missing = f", missing for {score['missing']:,}" if score["missing"] else ""
    return f"{score['field']}, {score['order']} is better{missing}"


def _show_overlaps(result: ParticleResult) -> None:
    assert result.overlaps is not None
    if len(result.sources) > MOST_SHOWN:
        print(f"overlaps of {len(result.sources)} inputs: see summary.json")
        return
    for i, first in enumerate(result.sources):
        for j, second in enumerate(result.sources):
            if i < j:
                print(
                    f"{_near(int(result.overlaps[i, j]), shown(first.picks.label))} one of {shown(second.picks.label)} nearby,"
                    f" {result.overlaps[j, i]:,} the other way round"
                )


def _near(particles: int, label: str) -> str:
    return f"{particles:,} of {label} {'has' if particles == 1 else 'have'}"
