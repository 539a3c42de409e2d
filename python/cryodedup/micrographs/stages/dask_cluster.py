"""The scheduler of Dask to which a run is given: one that is there, or one of its own whose workers are jobs of Slurm."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from cryodedup.errors import InputError, MissingPackageError
from cryodedup.micrographs.exposures import open_exposures
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.micrographs.stages.dask_task import Stage, Task, run_from
from cryodedup.micrographs.stages.dask_workers import Workers
from cryodedup.micrographs.stages.files import StageFiles
from cryodedup.micrographs.stages.work import merge
from cryodedup.names import named
from cryodedup.params import MicrographParams
from cryodedup.progress import SILENT, Progress
from cryodedup.system.signals import held_back
from cryodedup.system.staging import staging_directory
from cryodedup.text import count

_CONNECT_S = 15
SCHEDULER_FILE = ".json"


_ADDRESS = re.compile(r"((tcp|tls|ucx|ws|wss|inproc)://)?(\[[0-9a-fA-F:.]+\]|[^\s/:]+):\d+")


@contextmanager
def client_of(scheduler: str) -> Iterator[Any]:
    """A ``distributed.Client`` of a scheduler, by its address or the path of the file that it wrote (``.json``).

    Raises
    ------
    MissingPackageError
        Dask is not installed.
    InputError
        Nothing answers there.
    """
    try:
        from distributed import Client
    except ImportError:
        raise MissingPackageError(
            kind="missing", field=named("engine", "dask"), expected="Dask", remedy="pip install 'cryodedup[hpc]'"
        ) from None
    if scheduler.endswith(SCHEDULER_FILE) and not Path(scheduler).exists():  # Dask would wait for it
        raise InputError(
            kind="missing",
            field=named("scheduler", scheduler),
            found="no such file",
            expected="the one that the scheduler wrote (dask scheduler --scheduler-file)",
        )
    if not scheduler.endswith(SCHEDULER_FILE) and not _ADDRESS.fullmatch(scheduler):  # Dask would look for it until it gives up
        raise InputError(
            kind="parameter",
            field=named("scheduler"),
            found=f"{scheduler!r}",
            expected="an address, such as tcp://host:8786, or the file that a scheduler wrote",
        )
    how = {"scheduler_file": scheduler} if scheduler.endswith(SCHEDULER_FILE) else {"address": scheduler}
    try:
        client = Client(**how, timeout=_CONNECT_S, name="cryodedup", set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        reason = " ".join(str(error).split()) or "no answer"
        raise InputError(
            kind="missing",
            field=named("scheduler", scheduler),
            reason=f"no Dask scheduler answers there ({reason})",
            expected="the address of one, such as tcp://host:8786",
        ) from None
    with client:
        yield client


@contextmanager
def slurm_client(jobs: int, directory: Path) -> Iterator[Any]:
    """A client of a scheduler in this process, for which that many jobs of Slurm are kept running.

    They talk through TLS, with a certificate made for this run: others on the network cannot give the workers anything to do.
    ``directory``: on a shared file system, for the key of the workers, which only the user can read.

    Raises
    ------
    MissingPackageError
        Dask or dask-jobqueue is not installed.
    InputError
        The configuration file lacks what a job needs.
    """
    with staging_directory(directory.absolute()) as keys, slurm_cluster(keys) as cluster:
        # Not `scale`, which does not replace jobs that end. Tasks wait here, so that the scheduler cannot say how many jobs they need.
        cluster.adapt(minimum_jobs=jobs, maximum_jobs=jobs)
        with cluster.get_client() as client:
            yield client


def slurm_cluster(keys: Path) -> Any:
    """A ``dask_jobqueue.SLURMCluster`` by its configuration file, one worker a job if that does not say otherwise; nothing is submitted."""
    try:
        import cryptography  # noqa: F401  distributed makes certificates by it
        import dask

        with held_back():  # restores the handlers of signals: dask-jobqueue replaces them, and Ctrl-C would look like success
            from dask_jobqueue import SLURMCluster
    except ImportError:
        raise MissingPackageError(
            kind="missing",
            field=named("jobqueue", "slurm"),
            expected="dask-jobqueue and cryptography",
            remedy="pip install 'cryodedup[hpc]'",
        ) from None

    def configured(name: str) -> Any:
        return dask.config.get(f"jobqueue.slurm.{name}", None)

    try:
        return SLURMCluster(
            security=_security(keys),
            processes=configured("processes") or 1,
            job_extra_directives=[*(configured("job-extra-directives") or []), "--nodes=1"],
            # Slurm limits memory. Dask counts the pages of files that are mapped, and would stop workers that could go on.
            worker_extra_args=["--memory-limit", "0", *(configured("worker-extra-args") or [])],
        )
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise InputError(
            kind="parameter",
            field=named("jobqueue", "slurm"),
            reason=reason,
            remedy="set it in dask-jobqueue's configuration file, ~/.config/dask/jobqueue.yaml",
        ) from None


def _security(directory: Path) -> Any:
    """A certificate for everybody in the run. dask-jobqueue would write one, too, but complain at the end if its directory is gone."""
    from distributed import Security

    paths = {}
    for name, text in Security.temporary().get_tls_config_for_role("worker").items():
        if text is not None:
            paths[name] = directory / name
            paths[name].touch(0o600, exist_ok=False)
            paths[name].write_text(text)
    of_roles = {f"tls_{role}_{part}": str(paths[part]) for role in ("client", "scheduler", "worker") for part in ("cert", "key")}
    return Security(require_encryption=True, tls_ca_file=str(paths["ca_file"]), **of_roles)


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
