"""``cryodedup apply``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import rich_click as click

from cryodedup.apply.result import refuse_same
from cryodedup.apply.workflow import apply_earlier
from cryodedup.cli import options
from cryodedup.cli.console import say
from cryodedup.cli.options import closing_table
from cryodedup.cli.progress import Display
from cryodedup.errors import InputError
from cryodedup.names import as_options
from cryodedup.output_directory import check_directory
from cryodedup.params import Match, ParticleParams
from cryodedup.text import count
from cryodedup.write.applied import write_applied
from cryodedup.write.job import Delivered

click.rich_click.OPTION_GROUPS["cryodedup apply"] = [
    {"name": "Matching", "options": ["--flip-y", "--match"]},
    {"name": "Running", "options": ["--output", "--overwrite", "--dry-run", "--json", "--threads", "--quiet", "--help"]},
]


@click.command(no_args_is_help=True)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, type=options.Input(), metavar="FILE...")
@click.option("-o", "--output", type=options.Output(), metavar="DIR2", help="Write the new files into this directory (not DIR).")
@click.option("--flip-y", is_flag=True, help="Count y of CryoSPARC files from the opposite edge (default: as in the earlier run).")
@click.option(
    "--match",
    type=click.Choice(get_args(Match)),
    help="Match micrographs only by path, name or uid, or by all three (auto). Default: as in the earlier run.",
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier result in DIR2.")
@click.option("--dry-run", is_flag=True, help="Match and count the rows; write nothing.")
@options.as_json
@options.of_params(ParticleParams, "threads")
@options.quiet
def apply(
    directory: Path,
    files: tuple[Path, ...],
    output: Path | None,
    flip_y: bool,
    match: Match | None,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
    threads: int,
    quiet: bool,
) -> None:
    """Apply the result of an earlier run to other files of the project.

    DIR is the result of cryodedup micrographs or cryodedup particles. After cryodedup micrographs, FILE... are tables of movies,
    micrographs, exposures or particles, or lists of names. After cryodedup particles, they are other files of the same particles. Rows
    are copied byte for byte. Rows that were not in the earlier run are kept; their number and a few examples are printed.

    Example: cryodedup apply unique Extract/job009/particles.star -o applied
    """
    if output is None and not dry_run:
        raise InputError(kind="parameter", expected="-o DIR2, a directory for the new files (or --dry-run)")
    if output is not None and not dry_run:
        refuse_same(directory, output)
        check_directory(output, overwrite)
    with Display(sum(path.stat().st_size for path in files if path.is_file()), quiet=quiet) as display:
        applied = apply_earlier(directory, files, flip_y=flip_y or None, match=match, threads=threads, progress=display)
        delivered = Delivered([], applied.summary())
        if output is not None and not dry_run:
            display.stage("writing")
            delivered = write_applied(applied, output, overwrite=overwrite, spell=as_options, progress=display)
    if as_json:
        options.show_json(delivered.summary)
    elif not quiet:
        show(delivered)


def show(delivered: Delivered) -> None:
    """Prints what was matched, and the files that were written."""
    files = delivered.summary["files"]
    for file in files:
        say(f"{file['input']}: {count(file['rows'], 'row')} of {file['lists']}, {_matched(file)}")
        say(f"    {_outcome(file)}" + (f" → {', '.join(file['written_to'])}" if delivered.paths else ""))
    for warning in delivered.summary["warnings"]:
        say(f"warning: {warning}")
    for path in delivered.paths:
        say(f"written: {path}")
    closing_table(
        ["file", "rows", "kept", "rejected", "not found"],
        [[file["input"], file["rows"], file["kept"], file["rejected"], file["not_found"]] for file in files],
    )


def _matched(file: dict[str, Any]) -> str:
    by = ", ".join(f"{number:,} by {how}" for how, number in file["matched_by"].items())
    name_example = file["matched_by_name_example"]
    return f"matched {by}" + (f" (such as {name_example[0]} = {name_example[1]})" if name_example else "")


def _outcome(file: dict[str, Any]) -> str:
    word = "removed" if file["lists"] == "micrographs" else "rejected"
    others = [f"{file[name]:,} {text}" for name, text in (("not_found", "not found"), ("undecided", "undecided")) if file[name]]
    return f"kept {file['kept']:,}" + (f" ({', '.join(others)})" if others else "") + f", {word} {file['rejected']:,}"
