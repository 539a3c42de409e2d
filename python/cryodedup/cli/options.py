"""What the commands have in common: arguments, options, and how results are printed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import rich_click as click
from click.shell_completion import CompletionItem

from cryodedup.cli.console import say
from cryodedup.errors import InputError
from cryodedup.names import as_options, option_of
from cryodedup.output_directory import given_directory
from cryodedup.params.description import Choice, Description, File, Kind, Number, Numbers, OfInputs, Switch, descriptions
from cryodedup.summary_file import summary_text, with_texts
from cryodedup.text import shown

Command = TypeVar("Command", bound=Callable[..., Any])
EACH_ONES = ["--output", "--overwrite", "--no-report", "--json", "--threads", "--quiet", "--help"]


class PathParam(click.ParamType[Any]):
    """The name of a file or directory, which the shell completes."""

    name = "path"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The shell's own names of files."""
        return [CompletionItem(incomplete, type="file")]


class Input(PathParam):
    """A path or a pattern. Empty text is refused: ``Path("")`` would be the current directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """To a path."""
        if not str(value):
            raise InputError(kind="parameter", found="an empty INPUT", expected="a file or a folder")
        return Path(value)


class Output(PathParam):
    """The path of a directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """To a path."""
        return given_directory(value)


inputs = click.argument("inputs", nargs=-1, required=True, type=Input(), metavar="INPUT...")
output = click.option("-o", "--output", type=Output(), metavar="DIR", help="Write the results into this directory.")
overwrite = click.option("--overwrite", is_flag=True, help="Replace an earlier result in DIR.")
no_report = click.option("--no-report", is_flag=True, help="Do not write the report (report.html, figures).")
as_json = click.option("--json", "as_json", is_flag=True, help="Print only summary.json to standard output.")
quiet = click.option("-q", "--quiet", is_flag=True, help="Print errors only.")


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


class CommaNumbers(click.ParamType[Any]):
    """One or two numbers separated by a comma."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """To numbers."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"found {value!r}, expected numbers separated by a comma", param, ctx)


def of_params(kind: type[Any], *names: str) -> Callable[[Command], Command]:
    """Adds the options of parameters to a command, of all of them or of those that are named."""
    described = descriptions(kind)
    options = [_option(name, described[name], getattr(kind, name)) for name in names or described]

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def groups(kind: type[Any], **others: Sequence[str]) -> list[Any]:
    """The headings of a command's help with the options below them: those of parameters, and others."""
    found: dict[str, list[str]] = {}
    for name, described in descriptions(kind).items():
        found.setdefault(described.group, []).append(option_of(name))
    for heading, names in others.items():
        found[heading] = [*(name for name in found.get(heading, []) if name not in names), *names]
    return [{"name": heading, "options": names} for heading, names in found.items()]


def _option(name: str, described: Description, default: Any) -> Callable[[Command], Command]:
    kind, text = described.kind, as_options(described.help)
    words = [*(["-j"] if name == "threads" else []), option_of(name), name]
    if isinstance(kind, Switch):
        return click.option(*words, is_flag=True, help=text)
    if isinstance(kind, OfInputs):
        return click.option(*words, type=NamedNumber(), multiple=True, metavar=f"[NAME=]{described.metavar}", help=text)
    if described.is_unset:
        default, text = None, f"{text}  [default: {default}]"
    elif isinstance(default, tuple):
        default = ",".join(f"{number:g}" for number in default)
    how = {"default": default, "show_default": default is not None, "metavar": described.metavar, "help": text}
    return click.option(*words, type=_type(kind, described.metavar), **how)


def _type(kind: Kind, metavar: str | None) -> click.ParamType[Any]:
    if isinstance(kind, Choice):
        return click.Choice(get_args(kind.literal))
    if isinstance(kind, File):
        return click.Path(path_type=Path)
    if isinstance(kind, Numbers):
        return CommaNumbers()
    if isinstance(kind, Number):
        return Length() if metavar == "Å" else click.INT if kind.whole else click.FLOAT
    return click.STRING


def given(kind: type[Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The values of parameters that options give, by their names; without those that are not given.

    Raises
    ------
    InputError
        An option has several values for one input.
    """
    values = {}
    for name, described in descriptions(kind).items():
        value = options.get(name)
        if isinstance(described.kind, OfInputs):
            value = _by_input(option_of(name), value or ())
        if value is not None:
            values[name] = value
    return values


def _by_input(option: str, values: Sequence[tuple[str, float]]) -> float | dict[str, float] | None:
    """One for all inputs, or one for each that is named."""
    names = [name for name, _ in values]
    if len(set(names)) < len(names) or ("" in names and len(names) > 1):
        raise InputError(kind="parameter", field=option, found="several values", expected="one, or NAME=VALUE for each of several inputs")
    return dict(values) if any(names) else values[0][1] if values else None


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
