"""What a restart needs: which micrographs were compared, and what that showed."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
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
