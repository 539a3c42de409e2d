"""What the commands have in common: arguments, options, and how results are printed."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import rich_click as click
from click.shell_completion import CompletionItem

from cryodedup.cli.console import say
from cryodedup.errors import InputError
from cryodedup.names import as_options
from cryodedup.output_directory import given_directory
from cryodedup.summary_file import summary_text, with_texts
from cryodedup.text import shown

EACH_ONES = ["--output", "--overwrite", "--no-report", "--json", "--threads", "--quiet", "--help"]


class Place(click.ParamType[Any]):
    """The name of a file or directory, which the shell completes."""

    name = "path"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The shell's own names of files."""
        return [CompletionItem(incomplete, type="file")]


class Input(Place):
    """A path or a pattern. Empty text is refused: ``Path("")`` would be the current directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """To a path."""
        if not str(value):
            raise InputError(kind="parameter", found="an empty INPUT", expected="a file or a folder")
        return Path(value)


class Output(Place):
    """The path of a directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """To a path."""
        return given_directory(value)


inputs = click.argument("inputs", nargs=-1, required=True, type=Input(), metavar="INPUT...")
output = click.option("-o", "--output", type=Output(), metavar="DIR", help="Write the results into this directory.")
threads = click.option(
    "-j",
    "--threads",
    type=int,
    default=0,
    metavar="N",
    help="Use N threads. 0: one for each processor that is available to the job. The result does not depend on N.  [default: 0]",
)
overwrite = click.option("--overwrite", is_flag=True, help="Replace an earlier result in DIR.")
no_report = click.option("--no-report", is_flag=True, help="Do not write the report (report.html, figures).")
as_json = click.option("--json", "as_json", is_flag=True, help="Print only summary.json to standard output.")
quiet = click.option("-q", "--quiet", is_flag=True, help="Print errors only.")


def choice(literal: Any) -> click.Choice[str]:
    """The values of a ``Literal``."""
    return click.Choice(get_args(literal))


def closing_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints a summary table on a terminal; a log contains the same numbers in its lines."""
    if not sys.stdout.isatty():
        return
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    for head, value in zip(heads, rows[0], strict=True):
        table.add_column(head, justify="right" if isinstance(value, int) else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else escape(shown(str(value))) for value in row))
    Console().print(table)


def show_json(summary: Mapping[str, Any]) -> None:
    """Prints a summary as ``summary.json`` contains it."""
    say(*summary_text(with_texts(summary, as_options)).splitlines())
