"""``cryodedup micrographs --engine``: the whole job by the workers of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import rich_click as click

from cryodedup.errors import InputError
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.params import MicrographParams
from cryodedup.progress import Progress

Name = Literal["dask"]
JobQueue = Literal["slurm"]
OPTIONS = ["--engine", "--scheduler", "--jobqueue", "--jobs", "--shards"]
JOBS = 4
MAX_SHARDS = 99_999


@dataclass(frozen=True)
class Engine:
    """Where the work is done: by the workers of ``scheduler``, or by ``jobs`` jobs of a queue."""

    scheduler: str | None
    jobs: int
    shards: int | None

    def run(self, inputs: tuple[Path, ...], params: MicrographParams, output: Path, progress: Progress) -> MicrographOutcome:
        """Does the whole job."""
        from cryodedup.micrographs.stages.dask_cluster import find_duplicates_by_dask

        return find_duplicates_by_dask(inputs, params, output, self._connection(output), self.shards, progress)

    def _connection(self, output: Path) -> AbstractContextManager[Any]:
        from cryodedup.micrographs.stages.dask_cluster import client_of, slurm_client

        return slurm_client(self.jobs, output) if self.scheduler is None else client_of(self.scheduler)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options to a command."""
    for option in (
        click.option(
            "--shards",
            type=click.IntRange(1, MAX_SHARDS),
            metavar="N",
            help="Split prepare and compare into N tasks each.  [default: 4 per worker, at least 16; at least 8 micrographs per task]",
        ),
        click.option(
            "--jobs",
            type=click.IntRange(1),
            metavar="N",
            help=f"Keep N jobs of --jobqueue running until the work is done.  [default: {JOBS}]",
        ),
        click.option(
            "--jobqueue",
            type=click.Choice(get_args(JobQueue)),
            help="Start the workers as Slurm jobs. dask-jobqueue's configuration file sets partition, account, time, cores and memory.",
        ),
        click.option(
            "--scheduler", metavar="ADDRESS", help="Use the workers of this Dask scheduler, such as tcp://host:8786, or its scheduler file."
        ),
        click.option(
            "--engine",
            type=click.Choice(get_args(Name)),
            help="Run the job on Dask workers (needs the extra [hpc]); add --scheduler or --jobqueue. All machines must see the current"
            " directory, INPUT and DIR under the same absolute paths.",
        ),
    ):
        command = option(command)
    return command


def engine_of(chosen: dict[str, Any], *, staged: bool) -> Engine | None:
    """Takes the options out of what was chosen; ``staged``: whether one stage was asked for, which no engine does."""
    engine, scheduler, queue, jobs, shards = (chosen.pop(name.removeprefix("--")) for name in OPTIONS)
    if engine is None:
        given = {"--scheduler": scheduler, "--jobqueue": queue, "--jobs": jobs, "--shards": shards}
        if alone := next((name for name, value in given.items() if value is not None), None):
            raise InputError(kind="conflict", found=f"{alone} without --engine", remedy="add --engine dask")
        return None
    if staged:
        raise InputError(kind="conflict", found="--engine and --stage", expected="one of them: an engine runs all stages")
    if (scheduler is None) == (queue is None):
        found = "neither --scheduler nor --jobqueue" if scheduler is None else "--scheduler and --jobqueue"
        raise InputError(
            kind="conflict", field="--engine dask", found=found, expected="one of them", remedy="on one machine, run without --engine"
        )
    if jobs is not None and queue is None:
        raise InputError(kind="conflict", found="--jobs without --jobqueue", remedy="add --jobqueue slurm")
    return Engine(scheduler, jobs or JOBS, shards)
