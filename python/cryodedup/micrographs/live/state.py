"""What a restart needs: which micrographs were compared, and what that showed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cryodedup.errors import naming
from cryodedup.micrographs.live.collection import Gathered
from cryodedup.micrographs.saved_arrays import read_arrays, write_arrays
from cryodedup.params import MicrographParams

SCHEMA = "cryodedup-watch/1"
_NAME = "watch.npz"
_OF_PARAMS = ("bin", "highpass_cycles_per_px", "lowpass_cycles_per_px", "max_shift_px")
"""The parameters on which comparisons depend."""


@dataclass(frozen=True)
class Saved:
    """A collection: the paths of its micrographs, their keys in the cache, and what was gathered."""

    paths: list[str]
    keys: list[bytes]
    gathered: Gathered


def save(folder: Path, collections: Sequence[Saved], params: MicrographParams) -> None:
    """Writes the state; an earlier one is replaced when this one is on the disk."""
    head = {
        "schema": SCHEMA,
        "params": _relevant(params),
        "collections": [{"paths": one.paths, "keys": [key.hex() for key in one.keys]} for one in collections],
    }
    arrays: dict[str, Any] = {"head": np.frombuffer(json.dumps(head).encode(), np.uint8)}
    for number, one in enumerate(collections):
        arrays |= {f"{number}.{name}": column for name, column in one.gathered.arrays().items()}
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
        return [_collection(one, number, arrays) for number, one in enumerate(head["collections"])]
    except (OSError, ValueError, KeyError):
        return None


def _collection(head: Mapping[str, Any], number: int, arrays: Mapping[str, Any]) -> Saved:
    prefix = f"{number}."
    gathered = Gathered.of({name.removeprefix(prefix): arrays[name] for name in arrays if name.startswith(prefix)})
    return Saved(list(head["paths"]), [bytes.fromhex(key) for key in head["keys"]], gathered)


def _relevant(params: MicrographParams) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps({name: getattr(params, name) for name in _OF_PARAMS}))
    return values
