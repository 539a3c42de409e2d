"""What the commands have in common: arguments, options, words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rich_click as click

from cryodedup.errors import InputError

EACH_ONES = ["--output", "--overwrite", "--no-report", "--json", "--threads", "--quiet", "--help"]


class _Input(click.ParamType[Any]):
    """A path, or a pattern; not the empty text, which a path takes for the current directory."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """To a path."""
        if not str(value):
            raise InputError("found an empty INPUT, expected a file or a folder")
        return Path(value)


inputs = click.argument("inputs", nargs=-1, required=True, type=_Input(), metavar="INPUT...")
output = click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="DIR", help="Directory for the results; made if it is not there."
)
threads = click.option("-j", "--threads", type=int, default=0, metavar="N", help="0 (default): one a processor. The result is the same.")
overwrite = click.option("--overwrite", is_flag=True, help="Replace an earlier result in DIR.")
no_report = click.option("--no-report", is_flag=True, help="Make no page (report.html, figures).")
as_json = click.option("--json", "as_json", is_flag=True, help="Print summary.json to standard output, and nothing else there.")
quiet = click.option("-q", "--quiet", is_flag=True, help="Print errors only.")


def count(n: int, noun: str) -> str:
    """A number of things: "1 pair", "1,000 pairs"."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def show_json(summary: Mapping[str, Any]) -> None:
    """Prints a summary as it stands in ``summary.json``."""
    print(json.dumps(summary, indent=1, ensure_ascii=False))
