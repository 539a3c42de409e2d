"""``cryodedup apply``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import rich_click as click

from cryodedup.apply.result import Applied, refuse_same
from cryodedup.apply.workflow import apply_choice
from cryodedup.cli import options
from cryodedup.cli.options import closing_table
from cryodedup.cli.progress import Progress
from cryodedup.directory import check_directory
from cryodedup.errors import InputError
from cryodedup.words import count, shown

click.rich_click.OPTION_GROUPS["cryodedup apply"] = [
    {"name": "Matching", "options": ["--flip-y", "--match"]},
    {"name": "Running", "options": ["--output", "--overwrite", "--dry-run", "--json", "--threads", "--quiet", "--help"]},
]


@click.command(no_args_is_help=True)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, type=options.Input(), metavar="FILE...")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="DIR2", help="Directory for the new files, not DIR; made if it is not there."
)
@click.option("--flip-y", is_flag=True, help="Count y of CryoSPARC files from the other edge (default: as the earlier run did).")
@click.option(
    "--match",
    type=click.Choice(["auto", "path", "name", "uid"]),
    help="Match micrographs by path, name or uid alone, or by all three (auto; default: as the earlier run did).",
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier result in DIR2.")
@click.option("--dry-run", is_flag=True, help="Match and count the rows; write nothing.")
@options.as_json
@options.threads
@options.quiet
def apply(
    directory: Path,
    files: tuple[Path, ...],
    output: Path | None,
    flip_y: bool,
    match: Literal["auto", "path", "name", "uid"] | None,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
    threads: int,
    quiet: bool,
) -> None:
    """Apply the choice of an earlier run to other files of the project.

    DIR is the result of cryodedup micrographs or cryodedup particles. FILE... are, after micrographs, tables of movies, micrographs,
    exposures or particles, or lists of names; after particles, other files of these particles. Rows are copied byte for byte. Rows that
    the earlier run never saw are kept, counted and named.

    Example: cryodedup apply unique Extract/job009/particles.star -o applied
    """
    if output is None and not dry_run:
        raise InputError("found no --output, expected a directory for the new files (-o DIR2), or --dry-run")
    if output is not None and not dry_run:
        refuse_same(directory, output)
        check_directory(output, overwrite)
    with Progress(sum(path.stat().st_size for path in files if path.is_file()), quiet=quiet) as progress:
        result = apply_choice(directory, files, flip_y=flip_y or None, match=match, threads=threads, say=progress.say, progress=progress)
        written: list[Path] = []
        if output is not None and not dry_run:
            progress.say("writing")
            written = result.write(output, overwrite=overwrite, progress=progress)
    if as_json:
        options.show_json(result.summary([path.name for path in written]))
    elif not quiet:
        show(result, written)


def show(result: Applied, written: list[Path]) -> None:
    """Prints what was matched, and where it is."""
    files = result.summary()["files"]
    for file in files:
        print(f"{shown(file['input'])}: {count(file['rows'], 'row')} of {file['lists']}, {_matched(file)}")
        print(f"    {_outcome(file)}" + (f" → {', '.join(map(shown, file['written_to']))}" if written else ""))
    for warning in result.warnings:
        print(f"warning: {shown(warning)}")
    for path in written:
        print(f"written: {path}")
    closing_table(
        ["file", "rows", "kept", "rejected", "not found"],
        [[file["input"], file["rows"], file["kept"], file["rejected"], file["not_found"]] for file in files],
    )


def _matched(file: dict[str, Any]) -> str:
    by = ", ".join(f"{number:,} by {how}" for how, number in file["matched_by"].items())
    name_example = file["matched_by_name_example"]
    return f"matched {by}" + (f" (such as {shown(name_example[0])} = {shown(name_example[1])})" if name_example else "")


def _outcome(file: dict[str, Any]) -> str:
    word = "removed" if file["lists"] == "micrographs" else "rejected"
    others = [f"{file[name]:,} {text}" for name, text in (("not_found", "not found"), ("undecided", "undecided")) if file[name]]
    return f"kept {file['kept']:,}" + (f" ({', '.join(others)})" if others else "") + f", {word} {file['rejected']:,}"
