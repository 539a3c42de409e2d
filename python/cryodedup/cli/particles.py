"""``cryodedup particles``."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import rich_click as click

from cryodedup.cli import options
from cryodedup.cli.console import say
from cryodedup.cli.options import EACH_ONES, closing_table
from cryodedup.cli.progress import Display
from cryodedup.errors import InputError
from cryodedup.formats.output import NOT_WRITTEN
from cryodedup.names import as_options
from cryodedup.output_directory import check_directory
from cryodedup.params import ParticleParams
from cryodedup.particles.analysis.consensus import other_reasons
from cryodedup.particles.forecast import Forecast
from cryodedup.particles.result import ParticleOutcome
from cryodedup.particles.summary import pixel_size_words, scales, score_words, summarise
from cryodedup.particles.workflow import find_duplicates
from cryodedup.text import count
from cryodedup.write.job import Delivered
from cryodedup.write.particles import write_particles

MAX_SHOWN, MAX_ROWS = 6, 20
"""Inputs whose overlaps are printed, and rows of the closing table, at most."""


def show_advice(found: ParticleOutcome, *, as_json: bool) -> None:
    """Prints what the distances suggest."""
    advice, summary = found.advice(), summarise(found, NOT_WRITTEN)
    separation, n = found.params.used_separation_a, len(found.kept)
    if as_json:
        options.show_json({**summary, "advice": None if advice is None else advice.summary()})
        return
    show_sources(summary, found.frame_word, with_outcome=False)
    say(f"shifts: {found.centres.shift_key}")
    if advice is None:
        say("no distances to measure: there are fewer than two particles, or their pixel size is not known")
        return
    for text in [*advice.lines(n, separation), *_half_set_lines(found)]:
        say(text)
    for warning in found.warnings:
        say(f"warning: {warning}")
    say("separation (Å)  kept")
    for tried, kept in zip(advice.separations_a, advice.kept, strict=True):
        say(f"{tried:14.1f}  {kept:,} ({100 * kept / n:.1f} %)")


def _half_set_lines(found: ParticleOutcome) -> list[str]:
    return [] if found.analysis.half_sets is None else found.analysis.half_sets.lines()


def show_sources(summary: Mapping[str, Any], frame_word: str, *, with_outcome: bool = True) -> None:
    """Prints what was read, which values were used, and what stays; ``frame_word``: what particles lie in."""
    for source in summary["sources"]:
        where = f"{count(source['particles'], 'particle')} in {count(source['micrographs'], frame_word)}"
        say(f"{source['input']}: {where} ({source['format']})")
        say(f"    pixel size: {pixel_size_words(source['pixel_sizes'])}")
        say(f"    score: {score_words(source['score'])}")
        if not with_outcome:
            continue
        target = f" → {source['written_to']}" if source["written_to"] else ""
        stay = f"kept {source['kept']:,}, rejected {source['rejected']:,}" if source["rejected"] else f"all {source['kept']:,} kept"
        say(f"    {stay}{target}")


def show(found: ParticleOutcome, delivered: Delivered) -> None:
    """Prints what was found, and where it is."""
    summary, params = delivered.summary, found.params
    show_sources(summary, found.frame_word)
    say(f"shifts: {found.centres.shift_key}; scores: {scales(found)}")
    _show_overlaps(found)
    what = "duplicates by origin or exact coordinates" if params.undo_symmetry_expansion else f"within {params.used_separation_a:g} Å"
    where = f"{count(summary['particles'], 'particle')} in {count(summary['micrographs'], found.frame_word)}"
    say(f"{where}, {what}: {_outcome(found, summary)}")
    about_distances = [] if params.undo_symmetry_expansion else found.analysis.suggestion.lines()
    warned = set(found.warnings)
    for text in [*about_distances, *(line for line in _half_set_lines(found) if line not in warned)]:
        say(text)
    for warning in [*summary["warnings"], *delivered.warnings]:
        say(f"warning: {warning}")
    for note in summary["notes"]:
        say(f"note: {note}")
    for path in delivered.paths:
        say(f"written: {path}")
    rows = [[source["input"], source["particles"], source["kept"], source["rejected"]] for source in summary["sources"]]
    total = [["all", summary["particles"], summary["kept"], summary["rejected"]]] if len(rows) > 1 else []
    closing_table(["input", "picks", "kept", "rejected"], rows[:MAX_ROWS] + total)


def _outcome(found: ParticleOutcome, summary: Mapping[str, Any]) -> str:
    if found.repaired_halves is not None and found.analysis.half_sets is not None:
        moved = count(found.analysis.half_sets.moved or 0, "particle")
        return f"all kept, {count(len(found.rejected), 'duplicate')}, {moved} moved to the other half-set"
    others = other_reasons(found.selection.outvoted, found.params.min_votes, found.selection.below_min_score)
    share = 100 * summary["rejected"] / max(1, summary["particles"])
    return f"kept {summary['kept']:,}, rejected {summary['rejected']:,} ({share:.1f} %){others}"


def _show_overlaps(found: ParticleOutcome) -> None:
    near, of, labels = found.analysis.overlaps, found.analysis.in_shared, [source.picks.label for source in found.sources]
    if near is None or of is None:
        return
    if len(labels) > MAX_SHOWN:
        say(f"agreement of {len(labels)} inputs: see summary.json")
        return
    for i, j in combinations(range(len(labels)), 2):
        both = f"{labels[i]} and {labels[j]}"
        if not (shared := int(found.joined.shared_micrographs[i, j])):
            say(f"{both} have no {found.frame_word} in common")
            continue
        shares = [f"{near[k]:,} of {of[k]:,} ({100 * near[k] / max(1, of[k]):.0f} %)" for k in ((i, j), (j, i))]
        say(f"{both} agree: {shares[0]} and {shares[1]} have a match in the other, in {count(shared, 'common ' + found.frame_word)}")


click.rich_click.OPTION_GROUPS["cryodedup particles"] = options.groups(
    ParticleParams, Running=["--dry-run", "--advise", "--diameter", "--write", *EACH_ONES]
)


@click.command(no_args_is_help=True)
@options.inputs
@options.output
@options.of_params(ParticleParams)
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
    params = ParticleParams(**options.given(ParticleParams, chosen))
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
