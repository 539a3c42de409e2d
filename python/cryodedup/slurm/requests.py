"""What each stage asks of the cluster unless the user says otherwise: from the size of the session, with a safety factor."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryodedup.micrographs.forecast import LOADING, PAIR_CORE_S, PLANTING, comparing_work, memory_gb
from cryodedup.params import MicrographParams


@dataclass(frozen=True, kw_only=True)
class Request:
    """Holds what a task of a stage asks of the cluster.

    Attributes
    ----------
    cpus
        Processors, which are its threads.
    memory, time
        As Slurm takes them: "8G", "2:00:00".
    """

    cpus: int
    memory: str
    time: str


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage, which is one job, or an array of tasks.

    Attributes
    ----------
    tasks
        How many tasks the array has; None: the stage is one job.
    command, inputs
        The words before and after the number of the task.
    request
        Of each task.
    """

    name: str
    tasks: int | None
    command: Sequence[str]
    inputs: Sequence[str]
    request: Request


@dataclass(frozen=True, kw_only=True)
class Site:
    """Holds what is particular to the cluster and the user; empty text: Slurm's default.

    Attributes
    ----------
    setup
        Lines of shell that run before the command, such as ``module load``.
    template
        The user's own template of a stage's script; None: that of the package.
    """

    partition: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    setup: Sequence[str] = ()
    template: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job in stages, each of which begins when the one before it has ended well.

    Attributes
    ----------
    directory
        The working directory, from which names in the command lead.
    output
        The output directory, an absolute path.
    marks
        Where a stage leaves a mark when it is done, an absolute path.
    """

    stages: Sequence[Stage]
    directory: Path
    output: Path
    marks: Path

    @property
    def folder(self) -> Path:
        """The folder of the scripts."""
        return self.output / "slurm"

    @property
    def logs(self) -> Path:
        """The folder of the logs."""
        return self.folder / "logs"


CPUS = 4
MAX_TASKS = 50
TASK_S = 1200.0
"""About so long a task is to take."""
TIME_FACTOR, MEMORY_FACTOR = 3.0, 1.5
"""Safety factors: a task asks for so many times what it is expected to take."""
MIN_TIME_S, MIN_MEMORY_GB = 1800.0, 2
"""No task asks for less."""
_STEP_S = 900
"""Times are whole multiples."""

_BYTES_PER_S = 5e7
"""To read and reduce micrographs in one task. Two threads read 430 MB/s of float32 from the page cache, and 40 MB/s of gzip; a file server
that serves several tasks gives each of them less."""
_MEGABYTES_PER_THREAD = 100.0
"""Memory that prepare takes: it reads in strips. (47 MB with two threads at frames of 94 MB.)"""
_SIGNALS = (0.0, 0.1, 0.2)
"""Mean shares of signal: it is not known yet which way of screening they will call for."""
_MERGING_S = 0.002
"""A micrograph: decisions, thumbnails, page."""

_PARTICLE_BYTES_PER_S = 2e7
_PARTICLE_MEMORY = 2.0
"""Bytes of memory for a byte of input. (0.2 for rows of 500 bytes, 1.7 for rows of 60.)"""
_MIN_PARTICLE_MEMORY_GB = 4


def tasks_of(micrographs: int, read_bytes: int, params: MicrographParams, cpus: int) -> int:
    """How many tasks share a stage, so that none of them takes much longer than :data:`TASK_S`."""
    longest_s = max(read_bytes / _BYTES_PER_S, _comparing_s(micrographs, params, cpus))
    return max(1, min(math.ceil(longest_s / TASK_S), MAX_TASKS, micrographs))


def of_micrographs(micrographs: int, read_bytes: int, params: MicrographParams, tasks: int) -> dict[str, Callable[[int], Request]]:
    """Returns what a task of each stage asks for, by the number of its processors.

    Parameters
    ----------
    micrographs, read_bytes
        Of the session: how many, and the size of their files.
    tasks
        How many share a stage.
    """

    def of(cpus: int, seconds: float, gigabytes: float) -> Request:
        return Request(cpus=cpus, memory=_memory(gigabytes), time=_time(seconds))

    def held_gb(cpus: int) -> float:
        return memory_gb(micrographs, cpus, in_file=True)

    def loading_s(cpus: int) -> float:
        return (LOADING * micrographs + 2 * PLANTING) * PAIR_CORE_S[1] / cpus  # planted pairs at two resolutions

    return {
        "prepare": lambda cpus: of(cpus, read_bytes / _BYTES_PER_S / tasks, _MEGABYTES_PER_THREAD * (cpus + 1) / 1024),
        "plan": lambda cpus: of(cpus, loading_s(cpus), held_gb(cpus)),
        "compare": lambda cpus: of(cpus, _comparing_s(micrographs, params, cpus) / tasks, held_gb(cpus)),
        "merge": lambda cpus: of(cpus, loading_s(cpus) + _MERGING_S * micrographs + _testing_s(params, cpus), held_gb(cpus)),
    }


def of_particles(inputs: Sequence[Path], cpus: int) -> Request:
    """Returns what the job asks for; the size of the inputs counts, of a folder that of its files."""
    size = sum(path.stat().st_size for item in inputs for path in (item.iterdir() if item.is_dir() else [item]) if path.is_file())
    memory = max(_MIN_PARTICLE_MEMORY_GB, math.ceil(MEMORY_FACTOR * _PARTICLE_MEMORY * size / 1e9))
    return Request(cpus=cpus, memory=f"{memory}G", time=_time(size / _PARTICLE_BYTES_PER_S))


def _comparing_s(micrographs: int, params: MicrographParams, cpus: int) -> float:
    return max(comparing_work(micrographs, params, signal=signal) for signal in _SIGNALS) * PAIR_CORE_S[1] / cpus


def _testing_s(params: MicrographParams, cpus: int) -> float:
    """Returns what is the same for any number of micrographs: the self-test, if it is asked for."""
    return comparing_work(2, params, signal=0.0) * PAIR_CORE_S[1] / cpus


def _memory(gigabytes: float) -> str:
    return f"{max(MIN_MEMORY_GB, math.ceil(MEMORY_FACTOR * gigabytes))}G"


def _time(seconds: float) -> str:
    """As Slurm takes it: hours, minutes, seconds; days in front of more than 24 hours."""
    minutes = math.ceil(max(MIN_TIME_S, TIME_FACTOR * seconds) / _STEP_S) * _STEP_S // 60
    days, hours = divmod(minutes // 60, 24)
    return (f"{days}-" if days else "") + f"{hours:02}:{minutes % 60:02}:00"
