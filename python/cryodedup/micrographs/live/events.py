"""What is reported during collection: lines of JSON in a file, each whole or not there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryodedup.errors import naming

Event = dict[str, Any]
"""``event``: ``duplicate``, ``version`` or ``unreadable``; and what is particular to it."""


class EventFile:
    """Appends events to a file, each on the disk before the next."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists():
            whole = path.read_bytes()
            with path.open("rb+") as file:  # the last line of a run that was killed may not be whole
                file.truncate(whole.rfind(b"\n") + 1)

    def __iter__(self) -> Iterator[Event]:
        """Those of earlier runs."""
        if not self.path.exists():
            return
        for line in self.path.read_text("utf-8").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                yield event

    def add(self, event: Event) -> None:
        """Appends an event."""
        with naming(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")
            file.flush()
            os.fsync(file.fileno())
