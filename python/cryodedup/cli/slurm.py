"""``cryodedup slurm``: the other commands as jobs of a cluster."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import rich_click as click

from cryodedup._core import __version__
from cryodedup.cli import micrographs as of_micrographs
from cryodedup.cli import options
from cryodedup.cli import particles as of_particles
from cryodedup.cli.cluster import STAGES, WORDS, Wrapping, by_stage, separated
from cryodedup.cli.console import say
from cryodedup.cli.progress import Display
from cryodedup.errors import InputError
from cryodedup.formats.detect import kind_of
from cryodedup.micrographs.headers import open_micrographs
from cryodedup.micrographs.stages.files import StageFiles
from cryodedup.micrographs.stages.plan import shared
from cryodedup.output_directory import check_directory, holds_withheld, refuse_inputs_among_outputs
from cryodedup.params import ParticleParams
from cryodedup.slurm import requests
from cryodedup.slurm.requests import Job, Request, Site, Stage
from cryodedup.slurm.scripts import SUBMIT, check_word, submit_script, template, write_scripts
from cryodedup.text import count
from cryodedup.write.micrographs import OUTPUTS

ARRAYS = "prepare", "compare"
"""Stages that are arrays."""


@click.group(no_args_is_help=True)
def slurm() -> None:
    """Write Slurm scripts that run another command, and submit them."""


@slurm.command("template")
def print_template() -> None:
    """Print the default template of the scripts. Edit a copy, and give it as --template."""
    say(*template().splitlines())


@click.pass_context
def _micrographs(ctx: click.Context, /, inputs: tuple[Path, ...], output: Path | None, resume: bool, overwrite: bool, **chosen: Any) -> int:
    cluster, rest = separated(chosen)
    quiet = bool(rest.pop("quiet"))
    for name in ("no_report", "as_json"):
        rest.pop(name)
    params = of_micrographs.chosen_params(rest)
    if output is None:
        raise InputError(kind="parameter", expected="-o DIR, a directory for the results")
    command, names = _command(ctx, "micrographs", output), [str(path) for path in inputs]
    _check([*command, *names], cluster)
    check_directory(output, overwrite or (resume and holds_withheld(output)))
    refuse_inputs_among_outputs(output, inputs, OUTPUTS)
    with Display(0, quiet=quiet) as display:
        opened = open_micrographs(inputs, params, display)
    n, size = len(opened.images), sum(image.bytes for image in opened.images.values())
    if (cluster["shards"] or 0) > n:
        raise InputError(
            kind="parameter", field="--shards", found=f"{cluster['shards']:,}", expected=f"at most {n:,}, the number of micrographs"
        )
    cpus = by_stage(cluster["cpus_per_task"])
    tasks = cluster["shards"] or requests.tasks_of(n, size, params, int(cpus("compare") or params.threads or requests.CPUS))
    asked = requests.of_micrographs(n, size, params, tasks)
    stages = [
        Stage(
            name=name,
            tasks=tasks if name in ARRAYS else None,
            command=[*command, f"--stage={name}"],
            inputs=names,
            request=_request(name, asked[name], cluster, params.threads),
        )
        for name in STAGES
    ]
    marks = StageFiles.of(_absolute(output)).folder / f"done-{_digest(names, shared(params), tasks)}"
    return _deliver(stages, output, marks, cluster, quiet=quiet)


@click.pass_context
def _particles(
    ctx: click.Context,
    /,
    inputs: tuple[Path, ...],
    output: Path | None,
    overwrite: bool,
    dry_run: bool,
    advise: bool,
    **chosen: Any,
) -> int:
    cluster, rest = separated(chosen)
    quiet = bool(rest.pop("quiet"))
    for name in ("no_report", "as_json", "written_as"):
        rest.pop(name)
    params = ParticleParams(**options.given(ParticleParams, rest))
    if output is None:
        raise InputError(kind="parameter", expected="-o DIR, a directory for the scripts and the results")
    if named := next((stage for name in ("cpus_per_task", "mem", "time") for stage, _ in cluster[name] if stage), None):
        raise InputError(
            kind="conflict", found=f"a value for the stage {named}", expected="a value without a stage: cryodedup particles has no stages"
        )
    command, names = _command(ctx, "particles", output), [str(path) for path in inputs]
    _check([*command, *names], cluster)
    check_directory(output, overwrite or dry_run or advise)
    for path in inputs:
        kind_of(path)
    for table in (params.micrographs, params.tomograms):
        if table is not None and not Path(table).exists():
            raise InputError(kind="missing", path=table, found="no such file")
    request = _request("particles", lambda cpus: requests.of_particles(inputs, cpus), cluster, params.threads)
    stage = Stage(name="particles", tasks=None, command=command, inputs=names, request=request)
    marks = _absolute(output) / "slurm" / f"done-{_digest(names, command, 1)}"
    return _deliver([stage], output, marks, cluster, quiet=quiet)


slurm.add_command(
    Wrapping(
        of_micrographs.micrographs,
        _micrographs,
        "Write Slurm scripts that run cryodedup micrographs in stages: prepare (an array), plan, compare (an array), merge.\n\n"
        "INPUT and the other options are the same as for cryodedup micrographs. The scripts are in DIR/slurm; --submit submits them.\n\n"
        "Example: cryodedup slurm micrographs CtfFind/job005/micrographs_ctf.star -o unique --partition cpu --submit",
        (),
    )
)
slurm.add_command(
    Wrapping(
        of_particles.particles,
        _particles,
        "Write a Slurm script that runs cryodedup particles as one job.\n\n"
        "INPUT and the other options are the same as for cryodedup particles. The scripts are in DIR/slurm; --submit submits them.\n\n"
        "Example: cryodedup slurm particles relion.star J12/particles.csg --min-separation 80 -o clean --submit",
        ("--shards",),
    )
)


def _command(ctx: click.Context, name: str, output: Path) -> list[str]:
    """The words before INPUT."""
    return [sys.executable, "-m", "cryodedup", name, *ctx.meta[WORDS], f"--output={_absolute(output)}"]


def _check(words: Sequence[str], cluster: Mapping[str, Any]) -> None:
    """Refuses, before the input is opened, what cannot stand in a script, and submitting where there is no Slurm."""
    for word in words:
        check_word(word, "argument")
    for line in cluster["setup"]:
        check_word(line, "--setup")
    if cluster["submit"] and shutil.which("sbatch") is None:
        raise InputError(
            kind="missing", field="--submit", found="no sbatch on this machine", remedy="run this on a login node of the cluster"
        )


def _absolute(path: Path) -> Path:
    return Path.cwd() / path


def _digest(inputs: Sequence[str], options_of: object, tasks: int) -> str:
    """Identifies all that the work of the stages depends on: what other options did is not taken for done."""
    values = [__version__, sys.executable, str(Path.cwd()), inputs, options_of, tasks]
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=6).hexdigest()


def _request(stage: str, asked: Callable[[int], Request], cluster: Mapping[str, Any], threads: int) -> Request:
    """Returns what a stage asks for: as given, else as estimated; a processor for each of ``threads``, if they are given."""
    cpus, memory, time = (by_stage(cluster[name])(stage) for name in ("cpus_per_task", "mem", "time"))
    estimated = asked(int(cpus or threads or requests.CPUS))
    return Request(cpus=estimated.cpus, memory=memory or estimated.memory, time=time or estimated.time)


def _deliver(stages: Sequence[Stage], output: Path, marks: Path, cluster: Mapping[str, Any], *, quiet: bool) -> int:
    """Writes the scripts, says so, and submits them."""
    names = {name: cluster[name] or "" for name in ("partition", "account", "qos", "constraint")}
    site = Site(**names, setup=cluster["setup"], template=cluster["template"])
    job = Job(stages=stages, directory=Path.cwd(), output=_absolute(output), marks=marks)
    write_scripts(job, site)
    if not quiet:
        _show(job)
    if cluster["submit"]:
        return submit_script(job)
    if not quiet:
        say(f"to submit: {job.folder / SUBMIT}")
    return 0


def _show(job: Job) -> None:
    for stage in job.stages:
        asked = stage.request
        say(f"{stage.name}: {count(stage.tasks or 1, 'task')} of {count(asked.cpus, 'processor')}, {asked.memory}, {asked.time}")
    say(f"written: {job.folder}")
