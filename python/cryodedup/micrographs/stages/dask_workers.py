"""Tasks for the workers of a Dask scheduler: one at a time to each, and to another one if a worker is lost.

Dask's own queue is not used: it hands a worker as many tasks as it has threads, gives a task up after some lost workers, and its resources
would have to be set where workers are started. What is submitted here is always for one worker that is free.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from cryodedup.errors import InputError, InUseError
from cryodedup.micrographs.stages.dask_task import Answer, Task, packed, unpacked
from cryodedup.progress import Progress

_GLANCE_S = 0.5
"""So often the workers are counted; Ctrl-C acts at once."""
_PAUSE_S = 5.0
"""Before a task is given out again whose files are in use, or which failed for a reason of the system."""
_MAX_IN_USE = 36
"""A server of files may hold the lock of a machine that has gone for 90 seconds; a task that was cancelled ends within seconds."""
_MAX_FAILED = 3
_MAX_LOST = 10
_GATHER_S = 30.0
_GONE = "the scheduler no longer answers; run the same command again: finished tasks are not repeated"


@dataclass
class _Turn:
    """A task, and how often it was given out in vain."""

    task: Task
    not_before: float = 0.0
    in_use: int = 0
    failed: int = 0
    lost: int = 0


class Workers:
    """The workers of a ``distributed.Client``, those that join and those that leave.

    Parameters
    ----------
    client
        Connected. Closing it cancels what is not done.
    progress
        Listens to tasks done, and to what happens to workers.
    """

    def __init__(self, client: Any, progress: Progress) -> None:
        self._client, self._progress, self._work = client, progress, _by_value()
        self._unfit: dict[str, str] = {}
        self._waiting: list[_Turn] = []
        self._at_work: dict[str, tuple[_Turn, Any]] = {}
        self._ended: SimpleQueue[str] = SimpleQueue()
        self._done = 0

    def present(self) -> dict[str, int]:
        """The number of threads of each worker, by address.

        Raises
        ------
        ConnectionError
            The scheduler is gone.
        """
        try:
            threads: dict[str, int] = self._client.nthreads()
        except (OSError, TimeoutError):
            raise ConnectionError(_GONE) from None
        return threads

    def first(self) -> dict[str, int]:
        """Waits for a worker, with a note if there is none; returns those that are there."""
        threads = self.present()
        if not threads:
            self._progress.note("waiting for a worker")
        while not threads:
            time.sleep(_GLANCE_S)
            threads = self.present()
        return threads

    def do(self, tasks: Sequence[Task]) -> None:
        """Does tasks, in any order.

        Raises
        ------
        InputError
            The input is wrong, or no worker can do the tasks.
        OSError
            A task failed several times, many workers were lost with it, or the scheduler is gone.
        """
        self._waiting, self._done = [_Turn(task) for task in tasks], 0
        while self._waiting or self._at_work:
            threads = self.present()
            for address in self._at_work.keys() - threads.keys():
                self._lose(address)
            self._hand_out({address: number for address, number in threads.items() if address not in self._unfit})
            with suppress(Empty):
                self._collect(self._ended.get(timeout=_GLANCE_S))
            self._progress.advance_to(self._done)

    def _hand_out(self, threads: dict[str, int]) -> None:
        now = time.monotonic()
        ready = [turn for turn in self._waiting if turn.not_before <= now]
        free = [address for address in threads if address not in self._at_work]
        for turn, address in zip(ready, free, strict=False):
            self._waiting.remove(turn)
            only = {"workers": [address], "allow_other_workers": False}
            future = self._client.submit(self._work, packed(turn.task), threads[address], **only, pure=False, retries=0)
            self._at_work[address] = (turn, future)
            future.add_done_callback(lambda _, address=address: self._ended.put(address))

    def _lose(self, address: str) -> None:
        turn, future = self._at_work.pop(address)
        future.release()
        turn.lost += 1
        self._progress.note(f"worker {address} was lost; {turn.task} is given to another worker")
        if turn.lost >= _MAX_LOST:
            raise ChildProcessError(
                f"{turn.task}: {turn.lost} workers ended during this task, expected none; look for the cause in their logs, such as too"
                " little memory"
            )
        self._waiting.append(turn)

    def _collect(self, address: str) -> None:
        if address not in self._at_work or not self._at_work[address][1].done():  # it was lost before
            return
        turn, future = self._at_work[address]
        answer = self._answer_of(future)
        if answer is None:
            self._lose(address)
            return
        del self._at_work[address]
        if answer.unfit is not None:
            self._set_aside(address, answer.unfit)
            self._waiting.insert(0, turn)
        elif answer.error is not None:
            self._again(turn, answer.error)
        else:
            self._done += 1

    def _answer_of(self, future: Any) -> Answer | None:
        """None: its worker was lost."""
        from distributed import KilledWorker

        try:
            values = future.result(timeout=_GATHER_S)
        except (KilledWorker, TimeoutError):
            return None
        except Exception:
            if future.status in ("cancelled", "lost"):
                return None
            raise
        answer: Answer = unpacked(values)
        return answer

    def _set_aside(self, address: str, reason: str) -> None:
        self._unfit[address] = reason
        if self.present().keys() <= self._unfit.keys():
            raise InputError(kind="unsupported", reason=reason)
        self._progress.note(f"worker {address} is not used: {reason}")

    def _again(self, turn: _Turn, error: InputError | OSError) -> None:
        """Gives a task out again later, if that can help."""
        if isinstance(error, InUseError):
            turn.in_use += 1
        elif isinstance(error, OSError):
            turn.failed += 1
        else:
            raise error
        if turn.in_use >= _MAX_IN_USE or turn.failed >= _MAX_FAILED:
            raise error
        if turn.in_use + turn.failed == 1:
            self._progress.note(f"{turn.task}: {error.text if isinstance(error, InputError) else error}; trying again")
        turn.not_before = time.monotonic() + _PAUSE_S
        self._waiting.append(turn)


def _by_value() -> Callable[[bytes, int], bytes | str]:
    """Returns what a worker calls: a function of no module, which Dask sends as it is.

    Those of modules are sent by name, and a worker that cannot import one ends without a word to the caller.
    """

    def work(values: bytes, threads: int) -> bytes | str:
        import socket

        try:
            from cryodedup.micrographs.stages.dask_task import do, packed, unpacked

            task = unpacked(values)
        except (ImportError, AttributeError) as error:
            return (
                f"found no cryodedup of this version on {socket.gethostname()} ({error}); start the workers in an environment that has it"
            )
        return packed(do(task, threads))

    return work
