"""Signals that end a run: how they act at each stage, and how a step that must be finished holds them back."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGINT") if hasattr(signal, name)]
"""Ctrl-C last: after :func:`held_back` the others act again before it."""
_TOGETHER_S = 1.0
"""Signals within this time are one: ``timeout`` and schedulers send two."""
_AGAIN_S = 0.01


class Ended(BaseException):
    """A signal ends the run, see :func:`end_this_process`. Not an ``Exception``: nothing that expects failures catches it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def status(self) -> int:
        """Exit status of the process: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
        return 128 + self.number

    def __str__(self) -> str:
        return "interrupted" if self.number == signal.SIGINT else f"ended by {signal.Signals(self.number).name}"


class _Run:
    """The signals of a process that is a run of the command line.

    At first a signal ends the process at once, which no import can turn into another error. After :meth:`unwind` it raises
    :class:`Ended`, so that unfinished files are removed. After :meth:`over` it does nothing.
    """

    def __init__(self) -> None:
        self.act: Callable[[int], None] = _leave
        self._first_s = 0.0

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The handler."""
        self.act(number)

    def unwind(self) -> None:
        if self.act is not _ignore:
            self.act = self._raise

    def over(self) -> None:
        self.act = _ignore

    def _raise(self, number: int) -> None:
        self._first_s = time.monotonic()
        self.act = self._insist
        raise Ended(number)

    def _insist(self, number: int) -> None:
        """A signal after the first, while unfinished files are removed."""
        if time.monotonic() - self._first_s > _TOGETHER_S:
            _leave(number)

    def raise_lost(self, lost: sys.UnraisableHookArgs) -> None:
        """Raises once more what Python could not pass on, since it was raised in a finaliser; shows other errors as usual."""
        if not isinstance(lost.exc_value, Ended):
            sys.__unraisablehook__(lost)
            return
        number = lost.exc_value.number
        self.act = lambda alarm: self._raise(number)
        signal.signal(signal.SIGALRM, self.handle)
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)


def _leave(number: int) -> NoReturn:
    try:
        os.write(2, f"cryodedup: error: {Ended(number)}\n".encode())
    finally:
        os._exit(128 + number)


def _ignore(number: int) -> None:
    pass


_run: list[_Run] = []


def end_this_process() -> None:
    """Makes signals end this process: at once, until :func:`unwind` is called. For the command line alone."""
    _run[:] = [_Run()]
    sys.unraisablehook = _run[0].raise_lost
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, _run[0].handle)


def unwind() -> None:
    """From now on a signal raises :class:`Ended`."""
    for run in _run:
        run.unwind()


def over() -> None:
    """The exit status is known: from now on signals do nothing."""
    for run in _run:
        run.over()


@contextmanager
def held_back() -> Iterator[None]:
    """Holds back Ctrl-C, a scheduler's signal and that of a closed terminal until the block has ended, then lets them act."""
    if threading.current_thread() is not threading.main_thread():  # no other can, and none gets them
        yield
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in _ENDING}
    try:
        for number in _ENDING:
            signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: not set by Python
        for number in came:
            signal.raise_signal(number)
