"""``cryodedup micrographs``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import rich_click as click

from cryodedup import _core
from cryodedup.cli import engine, options
from cryodedup.cli.console import remark, say
from cryodedup.cli.options import EACH_ONES, closing_table
from cryodedup.cli.progress import Display
from cryodedup.cli.stages import SHARED, ShardOf, Stage, made_for, run_stage
from cryodedup.errors import InputError
from cryodedup.micrographs.blocks import Shard
from cryodedup.micrographs.cache_file import CACHE
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.micrographs.sentences import overlaps, self_test, tilts, versions
from cryodedup.micrographs.stages.work import merge
from cryodedup.micrographs.workflow import find_duplicates
from cryodedup.names import as_options
from cryodedup.output_directory import check_directory, holds_withheld, refuse_inputs_among_outputs
from cryodedup.params import MicrographParams
from cryodedup.text import count
from cryodedup.write.job import Delivered
from cryodedup.write.micrographs import OUTPUTS, write_micrographs

MAX_SHOWN = 10
WITHHELD = 3
"""Exit status if a limit is exceeded."""

click.rich_click.OPTION_GROUPS["cryodedup micrographs"] = options.groups(
    MicrographParams, **{"Running": ["--resume", *EACH_ONES], "On a cluster": ["--stage", "--shard", *engine.OPTIONS]}
)


@click.command(no_args_is_help=True)
@options.inputs
@options.output
@options.of_params(MicrographParams)
@click.option(
    "--resume",
    is_flag=True,
    help="Continue an earlier run into DIR, also with other options: read only micrographs not yet prepared. Replace a withheld result.",
)
@click.option(
    "--stage",
    type=click.Choice(get_args(Stage)),
    help="Run one stage of the job; other processes, on any machine, can run the others: prepare (in shards), plan, compare (in shards),"
    " merge. Give the same input and options to each.",
)
@click.option("--shard", type=ShardOf(), metavar="I/N", help="Run the I-th of N parts of the stage prepare or compare.  [default: 1/1]")
@engine.options
@options.overwrite
@options.no_report
@options.as_json
@options.quiet
@click.pass_obj
def micrographs(
    command: str | None,
    /,
    inputs: tuple[Path, ...],
    output: Path | None,
    resume: bool,
    stage: Stage | None,
    shard: Shard | None,
    overwrite: bool,
    no_report: bool,
    as_json: bool,
    quiet: bool,
    **chosen: Any,
) -> int:
    """Find micrographs that show the same area, and keep only one of each set.

    INPUT is a STAR file or CryoSPARC dataset of micrographs, a folder, or any number of .mrc files (also .gz and .bz2), .tif files
    or quoted patterns. Give motion-corrected micrographs, not movies.

    Example: cryodedup micrographs CtfFind/job005/micrographs_ctf.star -o unique
    """
    if output is None:
        raise InputError(kind="parameter", expected="-o DIR, a directory for the results")
    cluster = engine.engine_of(chosen, staged=stage is not None)
    params = chosen_params(chosen)
    overwrite = overwrite or (resume and holds_withheld(output))
    if stage in SHARED:
        return run_stage(stage, shard, inputs, params, output, overwrite=overwrite, quiet=quiet)
    if shard is not None:
        raise InputError(
            kind="conflict", found="--shard without --stage prepare or --stage compare", remedy="add one of them, or leave --shard out"
        )
    check_directory(output, overwrite)
    refuse_inputs_among_outputs(output, inputs, OUTPUTS)
    with made_for(output), Display(0, quiet=quiet) as display:
        if stage == "merge":
            found = merge(inputs, params, output, display)
        elif cluster is not None:
            found = cluster.run(inputs, params, output, display)
        else:
            found = find_duplicates(inputs, params, cache=output / CACHE, resume=resume, progress=display)
        display.stage("writing")
        delivered = write_micrographs(found, output, overwrite=overwrite, report=not no_report, command=command, spell=as_options)
    if as_json:
        options.show_json(delivered.summary)
    elif not quiet:
        show(found, delivered)
    if found.withheld is None:
        return 0
    remark(f"cryodedup: withheld: {found.withheld.text}")
    return WITHHELD


def chosen_params(chosen: Mapping[str, Any]) -> MicrographParams:
    """The parameters that options give.

    Raises
    ------
    InputError
        A value is wrong, or two options do not go together.
    """
    if chosen["threshold"] is not None and chosen["fdr"] is not None:
        raise InputError(kind="conflict", found="--fdr and --threshold", expected="one of them")
    return MicrographParams(**options.given(MicrographParams, chosen))


def show(result: MicrographOutcome, delivered: Delivered) -> None:
    """Prints what was found, and the files that were written."""
    summary = delivered.summary
    images = count(summary["micrographs"], "micrograph")
    say(f"{summary['input']}: {images}, {summary['compared']:,} compared, ordered by {result.order_rule}")
    for size in summary["sizes"]:
        say(f"    {_screening(size)}")
    names = result.names
    if result.versions:
        say(f"    {versions(result)}")
    if about_tilts := tilts(result):
        say(f"    {about_tilts}")
    for pair in result.duplicates[:MAX_SHOWN]:
        x, y = (round(shift) + 0.0 for shift in pair.shift_px)
        agreement = f", shot agreement: {pair.shot_agreement}" if pair.shot_agreement else ""
        say(
            f"    {names[pair.first]} = {names[pair.second]}: z {pair.z:.1f}, ccc {pair.ccc:.2f}, overlap {100 * pair.overlap:.0f} %, shift"
            f" {x:.0f}, {y:.0f} px{agreement}"
        )
    if len(result.duplicates) > MAX_SHOWN:
        say(f"    ... and {len(result.duplicates) - MAX_SHOWN:,} more")
    found = f"{count(len(result.duplicates), 'pair')} in {count(len(result.groups), 'set')} ({_rule(result.params)})"
    would = "withheld: would keep {}, remove {}" if result.withheld else "kept {}, removed {}"
    say(f"{found}: {would.format(*(format(summary[word], ',') for word in ('kept', 'removed')))}")
    if result.overlaps:
        say(overlaps(result))
    if result.self_test:
        say(self_test(result.self_test))
    for warning in [*result.warnings, *delivered.warnings]:
        say(f"warning: {warning}")
    if result.flat:
        first = ", ".join(names[i] for i in result.flat[:3])
        say(f"note: {count(len(result.flat), 'micrograph')} with almost no signal: {first}{', ...' if len(result.flat) > 3 else ''}")
    for path in delivered.paths:
        say(f"written: {path}")
    closing_table(
        ["micrographs", "compared", "pairs", "sets", "kept", "removed"],
        [[summary["micrographs"], summary["compared"], len(result.duplicates), len(result.groups), summary["kept"], summary["removed"]]],
    )


def _rule(params: MicrographParams) -> str:
    overlap = f", overlap ≥ {100 * params.least_overlap:g} %" if params.least_overlap else ""
    if params.threshold is None:
        return f"false-discovery rate {params.fdr:g}{overlap}"
    significance = f", z ≥ {_core.DOUBTFUL_Z:g}" if not params.by_window else ""
    return f"ccc ≥ {params.threshold:g}{significance}{overlap}"


def _screening(size: dict[str, Any]) -> str:
    done = size["screening"]
    pixels = f"{size['reduced'][0]} x {size['reduced'][1]} reduced pixels"
    where = f"{count(size['micrographs'], 'micrograph')} of {pixels}: {count(done['pairs'], 'pair')}"
    if done["search"] == "window":
        return f"{where} of the window, all compared in detail"
    if done["grid"] is None:
        return f"{where}, all compared in detail"
    predicted = done["predicted_recall_at_overlap_0.3"]
    how = f"in groups of {done['group_size']}" if done["group_size"] > 1 else "one by one"
    recalls = ", ".join(f"{recall:.2f} {'one by one' if size == '1' else f'in groups of {size}'}" for size, recall in predicted.items())
    return (
        f"{where}, screened {how} at {done['grid'][0]} x {done['grid'][1]} (predicted recall at overlap 0.3: {recalls});"
        f" {done['looked_at_closely']:,} compared in detail"
    )
