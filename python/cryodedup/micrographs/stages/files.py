"""The files by which one stage hands on to the next, in a folder of the output directory; each appears whole or not at all."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cryodedup.errors import InputError, naming
from cryodedup.micrographs.blocks import Shard
from cryodedup.micrographs.saved_arrays import Arrays, read_arrays, write_arrays
from cryodedup.names import named
from cryodedup.system.staging import abandoned, make_lasting, staging_directory

STAGES = "stages"
"""The folder."""
_SHARD = re.compile(r"(?P<name>prepared|compared)-(?P<number>\d{5})-of-(?P<count>\d{5})\.\w+")


@dataclass(frozen=True)
class StageFiles:
    """Paths in the folder of the stages."""

    folder: Path

    @classmethod
    def of(cls, output: Path) -> StageFiles:
        """In an output directory."""
        return cls(output / STAGES)

    @property
    def plan(self) -> Path:
        """The folder of the plan."""
        return self.folder / "plan"

    def cache(self, shard: Shard) -> Path:
        """The prepared micrographs of a shard."""
        return self.folder / f"{_numbered('prepared', shard)}.cache"

    def prepared(self, shard: Shard) -> Path:
        """Returns what says that a shard was prepared."""
        return self.folder / f"{_numbered('prepared', shard)}.json"

    def compared(self, shard: Shard) -> Path:
        """The pairs that a shard compared."""
        return self.folder / f"{_numbered('compared', shard)}.npz"

    def shards(self, name: str, ending: str) -> list[Shard]:
        """The shards of which there is such a file, by their number of shards, then their own."""
        found = [_SHARD.fullmatch(path.name) for path in self.folder.glob(f"{name}-*{ending}")]
        return sorted(((int(one["number"]) - 1, int(one["count"])) for one in found if one), key=lambda shard: shard[::-1])

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """A directory in which files are written before :func:`put` moves them into place. What killed runs left is removed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with staging_directory(self.folder) as staging:
            for path in abandoned(self.folder, staging):
                shutil.rmtree(path, ignore_errors=True)
            yield staging


def _numbered(name: str, shard: Shard) -> str:
    return f"{name}-{shard[0] + 1:05}-of-{shard[1]:05}"


def put(written: Path, target: Path) -> None:
    """Moves a file, or a folder, into place, instead of an earlier one; ``written`` is on the disk before it gets its name."""
    make_lasting([written] if written.is_file() else [path for path in written.rglob("*") if path.is_file()])
    if target.is_dir():
        target.rename(written.with_name("earlier"))
    written.replace(target)


def put_json(staging: Path, target: Path, value: Mapping[str, Any]) -> None:
    """Writes a small file of values."""
    path = staging / target.name
    with naming(target):
        path.write_text(json.dumps(value, indent=1) + "\n", "utf-8")
    put(path, target)


def read_json(path: Path) -> dict[str, Any]:
    """Reads such a file.

    Raises
    ------
    InputError
        It is damaged.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        stage = "plan" if path.name == "plan.json" else "prepare"
        raise InputError(
            kind="malformed",
            path=path,
            found="a damaged file",
            expected=f"the output of the stage {stage}",
            remedy=f"run {named('stage', stage)} again",
        )
    return value


def put_arrays(staging: Path, target: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Writes arrays by name."""
    path = staging / target.name
    with naming(target), path.open("w+b") as file:
        write_arrays(file, arrays)
    put(path, target)


def found_arrays(path: Path) -> Arrays:
    """The arrays of such a file.

    Raises
    ------
    InputError
        It is damaged.
    """
    try:
        return read_arrays(path)
    except ValueError:
        raise InputError(
            kind="malformed", path=path, found="a damaged file", expected="the output of the stage compare", remedy="run its shard again"
        ) from None
