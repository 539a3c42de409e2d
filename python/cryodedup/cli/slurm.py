"""``cryodedup slurm``: the other commands as jobs of a cluster."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import rich_click as click

from cryodedup import __version__
from cryodedup.cli import micrographs as of_micrographs
from cryodedup.cli import options
from cryodedup.cli import particles as of_particles
from cryodedup.cli.progress import Display
from cryodedup.errors import InputError
from cryodedup.formats.detect import kind_of
from cryodedup.micrographs.opened import open_micrographs
from cryodedup.micrographs.stages.files import StageFiles
from cryodedup.micrographs.stages.plan import shared
from cryodedup.output_directory import check_directory, holds_withheld, refuse_inputs_among_outputs
from cryodedup.params import MicrographParams
from cryodedup.slurm import requests
from cryodedup.slurm.job import Job, Request, Site, Stage
from cryodedup.slurm.scripts import SUBMIT, check_word, submit_script, template, write_scripts
from cryodedup.write.micrographs import OUTPUTS

STAGES = ("prepare", "plan", "compare", "merge")
SHARED = ("prepare", "compare")
"""Stages that are arrays."""
_WORDS = "cryodedup.slurm.words"
_OURS = ("--stage", "--shard")
"""Options of the command that the scripts set."""
_TIME = re.compile(r"\d+(:\d+){0,2}|\d+-\d+(:\d+){0,2}|UNLIMITED|INFINITE", re.IGNORECASE)
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
            raise InputError(f"--{self.name}: found {value!r}, expected {self.expected}, or STAGE=VALUE for one of {', '.join(STAGES)}")
        return stage, given


class Name(click.ParamType[Any]):
    """A name as Slurm has them: without spaces and quotes."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """To itself."""
        if not re.fullmatch(r"[^\s\"'\\#$`;]+", str(value)):
            raise InputError(f"--{param.name if param else 'name'}: found {value!r}, expected a name of the cluster")
        return str(value)


CLUSTER = [
    click.Option(["--shards"], type=click.IntRange(1, 99_999), metavar="N", help="Share prepare and compare between N tasks each."),
    click.Option(["--partition"], type=Name(), metavar="NAME", help="Run in this partition."),
    click.Option(["--account"], type=Name(), metavar="NAME", help="Charge this account."),
    click.Option(["--qos"], type=Name(), metavar="NAME", help="Ask for this quality of service."),
    click.Option(
        ["--constraint"], type=Name(), metavar="NAME", help="Use nodes with this feature: all have to have processors of one kind."
    ),
    click.Option(
        ["--time"],
        type=OfStage("time", _TIME, "a time such as 2:00:00"),
        multiple=True,
        metavar="[STAGE=]TIME",
        help="Set the time limit of a task.",
    ),
    click.Option(
        ["--mem"],
        type=OfStage("mem", _MEMORY, "an amount of memory such as 8G"),
        multiple=True,
        metavar="[STAGE=]SIZE",
        help="Set the memory of a task.",
    ),
    click.Option(
        ["--cpus-per-task"],
        type=OfStage("cpus-per-task", _CPUS, "a whole number, 1 or more"),
        multiple=True,
        metavar="[STAGE=]N",
        help=f"Set the processors of a task, which are its threads.  [default: {requests.CPUS}]",
    ),
    click.Option(["--setup"], multiple=True, metavar="LINE", help="Run this line of shell first, such as 'module load python'."),
    click.Option(
        ["--template"],
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write the scripts from this template. To begin with: cryodedup slurm template",
    ),
    click.Option(["--submit"], is_flag=True, help="Submit the job."),
]
"""What the commands of this group have beside the options of the command that they run."""


class Wrapping(click.RichCommand):
    """A command with the options of another one, which keeps the words that are for that one."""

    def __init__(self, wrapped: click.Command, callback: Callable[..., int], summary: str, leaving: Sequence[str]) -> None:
        cluster = [option for option in CLUSTER if option.opts[0] not in leaving]
        params = [*(param for param in wrapped.params if param.opts[-1] not in _OURS), *cluster]
        super().__init__(wrapped.name, params=params, callback=callback, help=summary, no_args_is_help=True)
        self.theirs = [param for param in wrapped.params if isinstance(param, click.Option) and param.opts[-1] not in _OURS]
        groups = [group for group in click.rich_click.OPTION_GROUPS[f"cryodedup {wrapped.name}"] if group["name"] != "On a cluster"]
        own = {"name": "On the cluster", "options": [option.opts[0] for option in cluster]}
        click.rich_click.OPTION_GROUPS[f"cryodedup slurm {wrapped.name}"] = [*groups, own]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As it was; the words are kept as they were typed, before they are made into values."""
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        ctx.meta[_WORDS] = [word for option in self.theirs if option.name in given for word in _words_of(option, given[option.name])]
        return super().parse_args(ctx, args)


def _words_of(option: click.Option, given: Any) -> Iterable[str]:
    """An option as it is typed."""
    if option.name == "output":  # absolute, in the script
        return []
    name = next(name for name in option.opts if name.startswith("--"))
    if option.is_flag:
        return [name]
    return [f"{name}={value}" for value in (given if option.multiple else [given])]


@click.group(no_args_is_help=True)
def slurm() -> None:
    """Write, and submit, the scripts by which Slurm runs another command."""


@slurm.command("template")
def print_template() -> None:
    """Print the template of the scripts, to be changed and given as --template."""
    print(template(), end="")


def _micrographs(inputs: tuple[Path, ...], output: Path | None, resume: bool, overwrite: bool, bin_: int, **chosen: Any) -> int:
    cluster, rest = _separated(chosen)
    quiet = bool(rest.pop("quiet"))
    for name in ("no_report", "as_json"):
        rest.pop(name)
    params = of_micrographs.chosen_params(bin_, rest)
    if output is None:
        raise InputError("found no --output, expected a directory for the results (-o DIR)")
    check_directory(output, overwrite or (resume and holds_withheld(output)))
    refuse_inputs_among_outputs(output, inputs, OUTPUTS)
    with Display(0, quiet=quiet) as display:
        opened = open_micrographs(inputs, params, display)
    n, size = len(opened.images), sum(image.bytes for image in opened.images.values())
    cpus = _by_stage(cluster["cpus_per_task"])
    tasks = cluster["shards"] or requests.tasks_of(n, size, params, int(cpus("compare") or requests.CPUS))
    asked = requests.of_micrographs(n, size, params, tasks)
    command, names = _command("micrographs", output), [str(path) for path in inputs]
    stages = [
        Stage(
            name=name,
            tasks=tasks if name in SHARED else None,
            command=[*command, f"--stage={name}"],
            inputs=names,
            request=_request(name, asked[name], cluster),
        )
        for name in STAGES
    ]
    marks = StageFiles.of(_absolute(output)).folder / f"done-{_digest(names, shared(params), tasks)}"
    return _deliver(stages, output, marks, cluster, quiet=quiet)


def _particles(
    inputs: tuple[Path, ...],
    output: Path | None,
    min_separation: float,
    pixel_size: tuple[tuple[str, float], ...],
    overwrite: bool,
    dry_run: bool,
    advise: bool,
    **chosen: Any,
) -> int:
    cluster, rest = _separated(chosen)
    quiet = bool(rest.pop("quiet"))
    for name in ("no_report", "as_json"):
        rest.pop(name)
    params = of_particles.chosen_params(min_separation, pixel_size, rest)
    if output is None:
        raise InputError("found no --output, expected a directory for the scripts and the results (-o DIR)")
    check_directory(output, overwrite or dry_run or advise)
    for path in inputs:
        kind_of(path)
    for path in (params.micrographs, params.tomograms):
        if path is not None and not Path(path).exists():
            raise InputError(f"{path}: found no such file")
    command, names = _command("particles", output), [str(path) for path in inputs]
    request = _request("particles", lambda cpus: requests.of_particles(inputs, cpus), cluster)
    stage = Stage(name="particles", tasks=None, command=command, inputs=names, request=request)
    marks = _absolute(output) / "slurm" / f"done-{_digest(names, command, 1)}"
    return _deliver([stage], output, marks, cluster, quiet=quiet)


slurm.add_command(
    Wrapping(
        of_micrographs.micrographs,
        _micrographs,
        "Write the scripts of cryodedup micrographs in stages, and submit them: prepare (an array), plan, compare (an array), merge.\n\n"
        "INPUT and all other options are those of cryodedup micrographs. The scripts are in DIR/slurm.\n\n"
        "Example: cryodedup slurm micrographs CtfFind/job005/micrographs_ctf.star -o unique --partition cpu --submit",
        (),
    )
)
slurm.add_command(
    Wrapping(
        of_particles.particles,
        _particles,
        "Write the script of cryodedup particles, which is one job, and submit it.\n\n"
        "INPUT and all other options are those of cryodedup particles. The scripts are in DIR/slurm.\n\n"
        "Example: cryodedup slurm particles relion.star J12/particles.csg --min-separation 80 -o clean --submit",
        ("--shards",),
    )
)


def _separated(chosen: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of this group, and those of the command."""
    own = {option.name for option in CLUSTER}
    return {k: v for k, v in chosen.items() if k in own}, {k: v for k, v in chosen.items() if k not in own}


def _command(name: str, output: Path) -> list[str]:
    """The words before INPUT."""
    words: list[str] = click.get_current_context().meta[_WORDS]
    return [sys.executable, "-m", "cryodedup", name, *words, f"--output={_absolute(output)}"]


def _absolute(path: Path) -> Path:
    return Path.cwd() / path


def _digest(inputs: Sequence[str], options_of: object, tasks: int) -> str:
    """Of all that the work of the stages depends on: what other options did is not taken for done."""
    values = [__version__, sys.executable, str(Path.cwd()), inputs, options_of, tasks]
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=6).hexdigest()


def _by_stage(given: Sequence[tuple[str, str]]) -> Callable[[str], str | None]:
    """What was given for a stage, or for all; of several the last."""
    values = dict(given)
    return lambda stage: values.get(stage, values.get(""))


def _request(stage: str, asked: Callable[[int], Request], cluster: Mapping[str, Any]) -> Request:
    """What a stage asks for: as given, else as estimated."""
    cpus, memory, time = (_by_stage(cluster[name])(stage) for name in ("cpus_per_task", "mem", "time"))
    estimated = asked(int(cpus or requests.CPUS))
    return Request(cpus=estimated.cpus, memory=memory or estimated.memory, time=time or estimated.time)


def _deliver(stages: Sequence[Stage], output: Path, marks: Path, cluster: Mapping[str, Any], *, quiet: bool) -> int:
    """Writes the scripts, says so, and submits them."""
    for stage in stages:
        for word in [*stage.command, *stage.inputs]:
            check_word(word, "argument")
    for line in cluster["setup"]:
        check_word(line, "--setup")
    if cluster["submit"] and shutil.which("sbatch") is None:
        raise InputError("--submit: found no sbatch on this machine; run this on a login node of the cluster")
    names = {name: cluster[name] or "" for name in ("partition", "account", "qos", "constraint")}
    site = Site(**names, setup=cluster["setup"], template=cluster["template"])
    job = Job(stages=stages, directory=Path.cwd(), output=_absolute(output), marks=marks)
    write_scripts(job, site)
    if not quiet:
        _show(job)
    if cluster["submit"]:
        return submit_script(job)
    if not quiet:
        print(f"to submit: {job.folder / SUBMIT}")
    return 0


def _show(job: Job) -> None:
    for stage in job.stages:
        tasks = "1 task" if stage.tasks is None else f"{stage.tasks:,} tasks"
        asked = stage.request
        print(f"{stage.name}: {tasks} of {asked.cpus} processors, {asked.memory}, {asked.time}")
    print(f"written: {job.folder}")
