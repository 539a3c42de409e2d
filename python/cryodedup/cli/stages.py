"""``cryodedup micrographs --stage``: the stages before the last one, which several processes share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import rich_click as click

from cryodedup.cli.console import say
from cryodedup.cli.progress import Display
from cryodedup.errors import InputError
from cryodedup.micrographs.blocks import WHOLE, Shard
from cryodedup.micrographs.stages.work import compare, plan, prepare
from cryodedup.output_directory import check_directory
from cryodedup.params import MicrographParams

Stage = Literal["prepare", "plan", "compare", "merge"]
SHARED = "prepare", "plan", "compare"
"""The stages that several processes share, before the last one."""


class ShardOf(click.ParamType[Any]):
    """``3/16``: the third of sixteen."""

    name = "shard"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        """To a number from 0, and how many there are."""
        found = re.fullmatch(r"(\d{1,5})/(\d{1,5})", str(value))
        number, count = (int(found[1]), int(found[2])) if found else (0, 0)
        if not 1 <= number <= count:
            raise InputError(kind="parameter", field="--shard", found=f"{value!r}", expected="I/N, such as 3/16 for the third of 16 shards")
        return (number - 1, count)


def run_stage(
    stage: str, shard: Shard | None, inputs: tuple[Path, ...], params: MicrographParams, output: Path, *, overwrite: bool, quiet: bool
) -> int:
    """Runs a stage that prepares the result."""
    if shard is not None and stage == "plan":
        raise InputError(kind="conflict", found="--shard with --stage plan, which has no shards", remedy="leave --shard out")
    if stage != "compare":  # a result may be there when a scheduler runs this once more
        check_directory(output, overwrite)
    part = shard or WHOLE
    with made_for(output), Display(0, quiet=quiet) as display:
        if stage == "prepare":
            done = prepare(inputs, params, output, part, display)
        elif stage == "plan":
            done = plan(inputs, params, output, display)
        else:
            done = compare(params, output, part, display)
    if not quiet:
        of = f" (shard {part[0] + 1} of {part[1]})" if part != WHOLE else ""
        say(f"{output}: {done}{of}")
    return 0


@contextmanager
def made_for(output: Path) -> Iterator[None]:
    """The output directory, made if it is not there, and removed if nothing was written."""
    made = not output.exists()
    output.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if made:
            with suppress(OSError):  # not empty
                output.rmdir()
