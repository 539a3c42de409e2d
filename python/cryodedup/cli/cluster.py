"""The options of ``cryodedup slurm``, and commands that have the options of another command, too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import rich_click as click

from cryodedup.cli import engine
from cryodedup.cli.stages import Stage
from cryodedup.errors import InputError
from cryodedup.slurm import requests

STAGES: tuple[str, ...] = get_args(Stage)
"""The stages of ``cryodedup micrographs``."""
WORDS = "cryodedup.slurm.words"
"""Where the context of a command of this group keeps the words that are for the other command."""
_OURS = ("--stage", "--shard", *engine.OPTIONS)
"""Options of the command that the scripts set."""
_TIME = re.compile(r"\d+(:\d+:\d+)?|\d+-\d+(:\d+){0,2}|UNLIMITED|INFINITE", re.IGNORECASE)
"""Not minutes and seconds, which look like hours and minutes."""
_MEMORY = re.compile(r"\d+[KMGT]?", re.IGNORECASE)
_CPUS = re.compile(r"[1-9]\d{0,3}")


class OfStage(click.ParamType[Any]):
    """``8G``, or ``compare=8G``: for all stages, or for one."""

    def __init__(self, name: str, form: re.Pattern[str], expected: str) -> None:
        self.name, self.form, self.expected = name, form, expected

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """To the stage, empty if it is for all, and the value."""
        stage, _, given = str(value).rpartition("=")
        if not self.form.fullmatch(given) or (stage and stage not in STAGES):
            raise InputError(
                kind="parameter",
                field=f"--{self.name}",
                found=f"{value!r}",
                expected=f"{self.expected}, or STAGE=VALUE for one of {', '.join(STAGES)}",
            )
        return stage, given


class Name(click.ParamType[Any]):
    """A name as Slurm has them: without spaces and quotes."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """To itself."""
        if not re.fullmatch(r"[^\s\"'\\#$`;]+", str(value)):
            raise InputError(
                kind="parameter",
                field=f"--{param.name if param else 'name'}",
                found=f"{value!r}",
                expected="a name without spaces or quotes",
            )
        return str(value)


def _of_stage(name: str, metavar: str, form: re.Pattern[str], expected: str, text: str) -> click.Option:
    kind = OfStage(name, form, expected)
    return click.Option([f"--{name}"], type=kind, multiple=True, metavar=f"[STAGE=]{metavar}", help=text)


CLUSTER = [
    click.Option(["--shards"], type=click.IntRange(1, 99_999), metavar="N", help="Split prepare and compare into N tasks each."),
    click.Option(["--partition"], type=Name(), metavar="NAME", help="Run in this partition."),
    click.Option(["--account"], type=Name(), metavar="NAME", help="Charge this account."),
    click.Option(["--qos"], type=Name(), metavar="NAME", help="Request this quality of service (QOS)."),
    click.Option(["--constraint"], type=Name(), metavar="NAME", help="Use nodes with this feature. All must have one type of processor."),
    _of_stage("time", "TIME", _TIME, "minutes, or hours, minutes and seconds such as 2:00:00", "Set the time limit of a task."),
    _of_stage("mem", "SIZE", _MEMORY, "an amount of memory such as 8G", "Set the memory limit of a task."),
    _of_stage(
        "cpus-per-task",
        "N",
        _CPUS,
        "a whole number from 1 to 9999",
        f"Set the number of processors of a task. It runs one thread on each.  [default: {requests.CPUS}]",
    ),
    click.Option(["--setup"], multiple=True, metavar="LINE", help="Run this shell command before the work, such as 'module load python'."),
    click.Option(
        ["--template"],
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write the scripts from this template. For the default one: cryodedup slurm template",
    ),
    click.Option(["--submit"], is_flag=True, help="Submit the scripts to Slurm."),
]
"""What the commands of this group have beside the options of the command that they run."""


class Wrapping(click.RichCommand):
    """A command with the options of another one, which keeps the words that are for that one."""

    def __init__(self, wrapped: click.Command, callback: Callable[..., int], summary: str, leaving: Sequence[str]) -> None:
        cluster = [option for option in CLUSTER if option.opts[0] not in leaving]
        params = [*(param for param in wrapped.params if param.opts[-1] not in _OURS), *cluster]
        super().__init__(name=wrapped.name, params=params, callback=callback, help=summary, no_args_is_help=True)
        self.theirs = [param for param in wrapped.params if isinstance(param, click.Option) and param.opts[-1] not in _OURS]
        groups = [group for group in click.rich_click.OPTION_GROUPS[f"cryodedup {wrapped.name}"] if group["name"] != "On a cluster"]
        own: Any = {"name": "On the cluster", "options": [option.opts[0] for option in cluster]}
        click.rich_click.OPTION_GROUPS[f"cryodedup slurm {wrapped.name}"] = [*groups, own]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As it was; the words are kept as they were typed, before they are made into values."""
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        ctx.meta[WORDS] = [word for option in self.theirs if option.name in given for word in _words_of(option, given[option.name])]
        return super().parse_args(ctx, args)


def _words_of(option: click.Option, given: Any) -> Iterable[str]:
    """An option as it is typed."""
    if option.name == "output":  # absolute, in the script
        return []
    name = next(name for name in option.opts if name.startswith("--"))
    if option.is_flag:
        return [name]
    return [f"{name}={value}" for value in (given if option.multiple else [given])]


def separated(chosen: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of this group, and those of the command."""
    own = {option.name for option in CLUSTER}
    return {k: v for k, v in chosen.items() if k in own}, {k: v for k, v in chosen.items() if k not in own}


def by_stage(given: Sequence[tuple[str, str]]) -> Callable[[str], str | None]:
    """Returns what was given for a stage, or for all; of several the last."""
    values = dict(given)
    return lambda stage: values.get(stage, values.get(""))
