"""What a worker of Dask does: one shard of one stage, after it has shown that it sees the files and computes as the caller does."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from cryodedup.errors import InputError
from cryodedup.micrographs.blocks import WHOLE, Shard
from cryodedup.micrographs.stages.files import StageFiles
from cryodedup.micrographs.stages.plan import computed
from cryodedup.micrographs.stages.work import compare, plan, prepare
from cryodedup.names import named
from cryodedup.params import MicrographParams
from cryodedup.system.staging import staging_directory

Stage = Literal["prepare", "plan", "compare"]
_TOKEN = "engine"
_ONE_AT_A_TIME = threading.Lock()
"""A task uses all threads of its worker, and its current directory."""


@dataclass(frozen=True)
class Run:
    """Holds what the tasks of a run share.

    Attributes
    ----------
    directory
        Of the caller: names in tables and relative paths are resolved from it.
    token
        A file that the caller wrote beside those of the stages.
    computed
        With what the caller computes.
    """

    inputs: tuple[Path, ...]
    params: MicrographParams
    output: Path
    directory: Path
    token: Path
    computed: dict[str, str]


@dataclass(frozen=True)
class Task:
    """A shard of a stage; a whole stage if it has no shards."""

    run: Run
    stage: Stage
    shard: Shard = WHOLE

    def __str__(self) -> str:
        return f"{self.stage} {self.shard[0] + 1} of {self.shard[1]}"


@dataclass(frozen=True)
class Answer:
    """How a task ended: well, if nothing is set.

    Attributes
    ----------
    unfit
        Why this worker cannot do a task of the run; another may.
    error
        What a stage raised. It is handed over as a value: it is the user's, not Dask's.
    """

    unfit: str | None = None
    error: InputError | OSError | None = None


class _UnfitError(Exception):
    """A worker cannot do tasks of the run."""


class _CancelledError(Exception):
    """The caller does not want the result any more."""


@contextmanager
def run_from(inputs: tuple[Path, ...], params: MicrographParams, output: Path) -> Iterator[Run]:
    """A run of this process, and its token for as long as it lasts."""
    files = StageFiles.of(output)
    try:
        with files.writing() as staging:
            token = staging / _TOKEN
            token.touch()
            yield Run(inputs, params, output, Path.cwd(), token.absolute(), computed())
    finally:
        with suppress(OSError):  # not empty
            files.folder.rmdir()


def do(task: Task, threads: int) -> Answer:
    """Does a task by this many threads, unless the parameters give another number; a task of the same worker is waited for.

    Any number of workers may do the same task, also one after another was killed: the files of the stages appear whole.
    """
    run = task.run
    params = replace(run.params, threads=run.params.threads or threads)
    with _ONE_AT_A_TIME:
        try:
            with _directory(run):
                _check(run)
                progress = _Heeding(_cancelled_on_worker())
                if task.stage == "prepare":
                    prepare(run.inputs, params, run.output, task.shard, progress)
                elif task.stage == "plan":
                    plan(run.inputs, params, run.output, progress)
                else:
                    compare(params, run.output, task.shard, progress)
        except _UnfitError as error:
            return Answer(unfit=str(error))
        except (InputError, OSError) as error:
            return Answer(error=error)
        except _CancelledError:
            pass  # nobody listens
    return Answer()


def packed(value: Task | Answer) -> bytes:
    """For the way through Dask."""
    from distributed.protocol.pickle import dumps

    values: bytes = dumps(value)
    return values


def unpacked(values: Any) -> Any:
    """Returns what was packed; text says why a worker is unfit."""
    from distributed.protocol.pickle import loads

    return Answer(unfit=values) if isinstance(values, str) else loads(values)


@contextmanager
def _directory(run: Run) -> Iterator[None]:
    before = Path.cwd()
    try:
        os.chdir(run.directory)
    except OSError:
        raise _UnfitError(_unreached(run.directory)) from None
    try:
        yield
    finally:
        os.chdir(before)


def _check(run: Run) -> None:
    if not run.token.exists():
        raise _UnfitError(_unreached(run.token.parent.parent))
    folder = StageFiles.of(run.output).folder
    try:
        with staging_directory(folder):  # a change of its own also makes NFS forget what it knew of the folder
            pass
    except OSError as error:
        raise _UnfitError(f"{folder}: {(error.strerror or str(error)).lower()} on {socket.gethostname()}") from None
    for what, here in computed().items():
        if (callers := run.computed.get(what)) != here:
            raise _UnfitError(
                f"found {what} {here} on {socket.gethostname()}, expected {callers}, as on the machine that started the run: results would"
                " differ by rounding; use machines of one kind"
            )


def _unreached(path: Path) -> str:
    return (
        f"{path}: found no such directory on {socket.gethostname()}, expected the same files under the same path on all machines; start in"
        f" a directory of a shared file system that also holds the input and {named('directory')}"
    )


def _cancelled_on_worker() -> Callable[[], bool]:
    """Returns what says whether the task of this thread was cancelled; outside a worker of Dask, none ever is."""
    from distributed import get_worker

    try:
        worker: Any = get_worker()
    except ValueError:
        return lambda: False
    key = worker.get_current_task()

    def cancelled() -> bool:
        state = worker.state.tasks.get(key)
        return state is None or state.state not in ("executing", "long-running")

    return cancelled


class _Heeding:
    """Progress that ends a task that was cancelled: threads cannot be ended from outside."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self._cancelled = cancelled

    def stage(self, name: str, total: int | None = None) -> None:
        self.advance_to(0)

    def advance_to(self, done: int) -> None:
        if self._cancelled():
            raise _CancelledError

    def note(self, text: str) -> None: ...
