"""How a long job says how far it is: one protocol, and a listener that ignores it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Listens to a job. Every call is made from the thread that runs the job."""

    def stage(self, name: str, total: int | None = None) -> None:
        """A stage begins; ``total``: how many bytes, particles, micrographs or pairs it has, None if that is not known."""

    def advance_to(self, done: int) -> None:
        """So many units of the stage's present step are done; called about ten times a second."""

    def note(self, text: str) -> None:
        """A line about the whole job, such as how long it will take."""


class _Silent:
    def stage(self, name: str, total: int | None = None) -> None: ...

    def advance_to(self, done: int) -> None: ...

    def note(self, text: str) -> None: ...


SILENT: Progress = _Silent()
"""Ignores everything."""
