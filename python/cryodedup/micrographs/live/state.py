"""What a restart needs: which micrographs were compared, and what that showed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cryodedup.errors import naming
from cryodedup.micrographs.saved_arrays import read_arrays, write_arrays
from cryodedup.params import MicrographParams

SCHEMA = "cryodedup-watch/2"
_NAME = "watch.npz"
_OF_PARAMS = ("bin", "highpass_cycles_per_px", "lowpass_cycles_per_px", "max_shift_px")
"""The parameters on which comparisons depend."""


@dataclass(frozen=True)
class Saved:
    """A collection: the paths of its micrographs, their keys in the cache, and what was gathered of them."""

    paths: list[str]
    keys: list[bytes]
    state: bytes


def save(folder: Path, collections: Sequence[Saved], params: MicrographParams) -> None:
    """Writes the state; an earlier one is replaced when this one is on the disk."""
    head = {
        "schema": SCHEMA,
        "params": _relevant(params),
        "collections": [{"paths": one.paths, "keys": [key.hex() for key in one.keys]} for one in collections],
    }
    arrays: dict[str, Any] = {"head": np.frombuffer(json.dumps(head).encode(), np.uint8)}
    for number, one in enumerate(collections):
        arrays[str(number)] = np.frombuffer(one.state, np.uint8)
    written = folder / f".{_NAME}.writing"
    try:
        with naming(folder / _NAME), written.open("w+b") as file:
            write_arrays(file, arrays)
            file.flush()
            os.fsync(file.fileno())
        written.replace(folder / _NAME)
    finally:
        written.unlink(missing_ok=True)


def load(folder: Path, params: MicrographParams) -> list[Saved] | None:
    """The state of an earlier run, empty if there was none; None if it is damaged, or was made with other parameters."""
    if not (folder / _NAME).exists():
        return []
    try:
        arrays = read_arrays(folder / _NAME)
        head = json.loads(bytes(arrays["head"]).decode())
        if head["schema"] != SCHEMA or head["params"] != _relevant(params):
            return None
        return [
            Saved(list(one["paths"]), [bytes.fromhex(key) for key in one["keys"]], arrays[str(number)].tobytes())
            for number, one in enumerate(head["collections"])
        ]
    except (OSError, ValueError, KeyError):
        return None


def _relevant(params: MicrographParams) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps({name: getattr(params, name) for name in _OF_PARAMS}))
    return values


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
