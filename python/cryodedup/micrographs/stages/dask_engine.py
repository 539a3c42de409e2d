"""The whole job by the workers of Dask: prepare in shards, plan, compare in shards; the result is put together in this process."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from cryodedup.micrographs.exposures import open_exposures
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.micrographs.stages.dask_task import Stage, Task, run_from
from cryodedup.micrographs.stages.dask_workers import Workers
from cryodedup.micrographs.stages.files import StageFiles
from cryodedup.micrographs.stages.work import merge
from cryodedup.params import MicrographParams
from cryodedup.progress import SILENT, Progress
from cryodedup.text import count

_SHARDS_OF_WORKER = 4
"""So that a lost worker costs little, and fast ones do more; not more, since each shard opens the headers of all micrographs."""
_MIN_SHARDS = 16
"""For workers that join later."""
_MIN_MICROGRAPHS = 8
"""The work of a shard: about a second."""


def find_duplicates_by_dask(
    inputs: tuple[Path, ...],
    params: MicrographParams,
    output: Path,
    connection: AbstractContextManager[Any],
    shards: int | None = None,
    progress: Progress = SILENT,
) -> MicrographOutcome:
    """The result that one run gives, bit for bit.

    Parameters
    ----------
    inputs, output
        As for the stages: all workers see the same files under the same paths, and the current directory, too.
    connection
        Gives a ``distributed.Client``, and closes it before the last stage, which uses no workers. Closing it cancels what is not done.
    shards
        Number of tasks of the stages prepare and compare; None: as in an earlier run that was interrupted, or by the number of workers.

    Raises
    ------
    InputError
        As in a single run; or the workers do not see these files, or compute differently.
    OSError
        The scheduler is gone, or a task failed again and again.
    """
    micrographs = len(open_exposures(inputs, params.threads))
    with connection as client, run_from(inputs, params, output) as run:
        workers = Workers(client, progress)
        there = workers.first()
        number = shards or _earlier(StageFiles.of(output)) or _shards(len(there), micrographs)
        threads = count(sum(there.values()), "thread")
        progress.note(f"dask: {count(len(there), 'worker')} with {threads}, {count(number, 'shard')}")
        stages: dict[Stage, int] = {"prepare": number, "plan": 1, "compare": number}
        for stage, tasks in stages.items():
            started = time.monotonic()
            progress.stage(stage, tasks)
            workers.do([Task(run, stage, (shard, tasks)) for shard in range(tasks)])
            progress.note(f"{stage}: {tasks:,} of {tasks:,} tasks done in {time.monotonic() - started:.0f} s")
    return merge(inputs, params, output, progress)


def _earlier(files: StageFiles) -> int | None:
    """The number of shards of which most were prepared: with another, micrographs would be read again."""
    numbers = Counter(number for _, number in files.shards("prepared", ".cache"))
    return numbers.most_common(1)[0][0] if numbers else None


def _shards(workers: int, micrographs: int) -> int:
    return max(1, min(max(_MIN_SHARDS, _SHARDS_OF_WORKER * workers), micrographs // _MIN_MICROGRAPHS))
