"""Shows the progress of a job: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from cryodedup.cli.console import remark

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn

OF_BYTES = ("reading", "writing")
"""Stages that count bytes; others count particles, micrographs or pairs."""
BETWEEN_LINES_S = 30.0
"""Seconds between two lines of progress in a log."""


class Display:
    """Shows the stages of a job on standard error; ``size``: the bytes to be read, and about as many to be written; 0: not known."""

    def __init__(self, size: int, *, quiet: bool) -> None:
        self.size = size
        self.total = 0
        self.quiet = quiet
        self.name = ""
        self.done = 0
        self._before = 0
        self._said = self._began = time.monotonic()
        self._bar: Bar | None = None

    def __enter__(self) -> Display:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._stop_bar()

    def stage(self, name: str, total: int | None = None) -> None:
        """Begins a stage. Without ``total``, a stage that counts bytes gets the size of the files."""
        self.name, self.done, self._before = name, 0, 0
        self._began = time.monotonic()
        self.total = total if total is not None else self.size if name in OF_BYTES else 0
        self._stop_bar()

    def _stop_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def note(self, text: str) -> None:
        """Prints a line about the whole job."""
        if not self.quiet:
            self._stop_bar()
            remark(text)

    def advance_to(self, done: int) -> None:
        """Sets the number of units of the stage's present step that are done."""
        if self.quiet:
            return
        if done < self.done - self._before:  # a further step, which counts from 0 again
            self._before = self.done
        self.done = self._before + done
        if sys.stderr.isatty():
            self._draw()
        elif time.monotonic() - self._said > BETWEEN_LINES_S:
            self._said = time.monotonic()
            remark(f"{self.name}: {self._share()}")

    def _share(self) -> str:
        """How much of the stage is done, how fast, and how long the rest will take."""
        seconds = max(time.monotonic() - self._began, 1e-3)
        rate = self.done / seconds
        if not self.total or not self.done:
            return f"{self.done:,}"
        left = max(0, self.total - self.done) / rate
        return f"{100 * min(1.0, self.done / self.total):.0f} %, {_speed(rate, self.name)}, {left / 60:.0f} min left"

    def _draw(self) -> None:
        if self._bar is None:
            from rich import progress
            from rich.console import Console

            columns: list[progress.ProgressColumn] = [progress.TextColumn("{task.description}"), progress.BarColumn()]
            if self.total:
                columns += [progress.TaskProgressColumn(show_speed=False), _rate_column(), progress.TimeRemainingColumn()]
            self._bar = progress.Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._bar.add_task(self.name, total=self.total or None)
        self._bar.update(self._bar.task_ids[0], completed=min(self.done, self.total) if self.total else self.done)


def _speed(rate: float, stage: str) -> str:
    """Units a second."""
    unit = "B" if stage in OF_BYTES else ""
    factor, letter = next(((factor, letter) for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if rate >= factor), (1.0, ""))
    return f"{rate / factor:.1f} {letter}{unit}".rstrip() + "/s"


def _rate_column() -> ProgressColumn:
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Rate(ProgressColumn):
        """How fast a stage goes."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(_speed(speed, task.description) if speed else "", style="progress.data.speed")

    return Rate()
