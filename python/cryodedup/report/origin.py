"""When, where and how a result was made, and what was written of it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryodedup import _core
from cryodedup.names import Spell, as_parameters


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a result comes from; empty: not known, as of a page that is made in Python.

    Attributes
    ----------
    command
        The command line.
    made, host, directory
        The local time, the name of the machine, and the directory of the results.
    outputs
        Names of the files in this directory.
    notes
        Notes from writing them.
    all_kept
        What to do with all kept rows, if they are in several files, or ``merged`` into one beside these.
    spell
        How texts of the page name parameters.
    """

    command: str = ""
    made: str = ""
    host: str = ""
    directory: str = ""
    outputs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    all_kept: str = ""
    merged: bool = False
    spell: Spell = as_parameters

    @classmethod
    def now(cls, command: str | None, directory: Path, outputs: Sequence[str], notes: Sequence[str] = ()) -> Origin:
        """Describes a result that is being written."""
        made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z").strip()
        return cls(
            command=command or "",
            made=made,
            host=socket.gethostname(),
            directory=str(directory.absolute()),
            outputs=tuple(outputs),
            notes=tuple(notes),
        )

    def line(self) -> str:
        """In one line."""
        parts = [self.made, f"cryodedup {_core.__version__}", f"on {self.host}" if self.host else "", self.directory]
        return " · ".join(filter(None, parts))

    def ending(self, *ends: str) -> list[str]:
        """The outputs whose names end like this."""
        return [name for name in self.outputs if name.endswith(ends)]
