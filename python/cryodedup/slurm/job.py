"""What the scripts are about: the stages of a job, what each asks of the cluster, and what is particular to the site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


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
