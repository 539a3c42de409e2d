"""The plan: what is the same for all shards of the comparison, and what the last stage needs of the ones before it."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryodedup import _core
from cryodedup.errors import InputError, naming
from cryodedup.micrographs.headers import Opened
from cryodedup.micrographs.reading import key_of
from cryodedup.micrographs.stages.files import StageFiles, read_json
from cryodedup.micrographs.versions import Version
from cryodedup.names import named
from cryodedup.params import MicrographParams

SCHEMA = "cryodedup-plan/2"
LAST = ("fdr", "threshold", "min_overlap", "max_removed", "max_set", "self_test", "threads")
"""Parameters that only the last stage uses: they can differ from those of the plan."""
_FILE = "plan.json"


@dataclass(frozen=True)
class PlannedClass:
    """A class of micrographs that are compared; indices are those of the input, ordinals those in the order of exposure."""

    members: list[int]
    ordinals: list[int]


@dataclass(frozen=True)
class Plan:
    """Holds what the stages share.

    Attributes
    ----------
    micrographs
        A digest of the micrographs of the input: their paths, sizes and times, in the order of exposure.
    prepared
        A digest of the prepared micrographs.
    unreadable, masked
        As in :class:`~cryodedup.micrographs.workflow.Prepared`.
    versions, refused
        As in :class:`~cryodedup.micrographs.unique.Unique`.
    computed
        With which version of the package and which instructions of the processor: with others, results differ by rounding.
    """

    params: dict[str, Any]
    micrographs: str
    prepared: str
    unreadable: dict[int, str]
    masked: dict[int, int]
    versions: list[Version]
    refused: list[tuple[int, int]]
    classes: list[PlannedClass]
    computed: dict[str, str]

    @property
    def id(self) -> str:
        """Names this plan: comparisons by another one do not go with it."""
        return hashlib.blake2b(json.dumps(self._values(), sort_keys=True).encode(), digest_size=16).hexdigest()

    def write(self, folder: Path) -> None:
        """Adds it to the folder of the plan."""
        path = folder / _FILE
        with naming(path):
            path.write_text(json.dumps({"schema": SCHEMA, **self._values()}) + "\n", "utf-8")

    def _values(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, files: StageFiles) -> Plan:
        """The plan in the folder of the stages.

        Raises
        ------
        InputError
            There is none, or it is damaged.
        """
        path = files.plan / _FILE
        if not path.exists():
            raise InputError(kind="missing", path=path, found="no plan", remedy=f"run {named('stage', 'plan')} first")
        values = read_json(path)
        try:
            if values.pop("schema") != SCHEMA:
                raise ValueError
            return cls(
                unreadable=_by_index(values.pop("unreadable")),
                masked=_by_index(values.pop("masked")),
                versions=[Version(**one) for one in values.pop("versions")],
                refused=[(first, second) for first, second in values.pop("refused")],
                classes=[PlannedClass(**one) for one in values.pop("classes")],
                **values,
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise InputError(
                kind="unsupported",
                path=path,
                found="a file of another kind",
                expected="a plan of this version of cryodedup",
                remedy=f"run {named('stage', 'plan')} again",
            ) from None

    def check(self, params: MicrographParams) -> None:
        """Refuses parameters, a version of the package or a processor that do not go with the plan."""
        asked = shared(params)
        name = next((name for name, value in asked.items() if self.params.get(name) != value), None)
        if name is not None:
            raise InputError(
                kind="contradiction",
                field=named(name),
                found=_spelled(asked[name]),
                expected=f"{_spelled(self.params.get(name))}, as in the plan",
                remedy=f"give the same value here, or run {named('stage', 'plan')} again",
            )
        check_computed(self.computed, "the plan was made", "plan")


def check_computed(before: Mapping[str, str], what_was_made: str, stage: str) -> None:
    """Refuses what was computed in another way than here."""
    for what, here in computed().items():
        if (there := before.get(what)) != here:
            raise InputError(
                kind="contradiction",
                found=f"{what} {here} on this machine",
                expected=f"{there}, with which {what_was_made}: results would differ by rounding",
                remedy=f"use machines of one kind, or run {named('stage', stage)} again",
            )


def _spelled(value: Any) -> str:
    """The value of a parameter, as users give it."""
    if isinstance(value, float):
        return f"{value:g}"
    return "no value" if value is None else str(value)


def _by_index(values: Mapping[str, Any]) -> dict[int, Any]:
    return {int(i): value for i, value in values.items()}


def computed() -> dict[str, str]:
    """With what results are computed here."""
    library = " ".join(platform.libc_ver()).strip() or platform.system()
    return {"cryodedup": _core.__version__, "the processor's instructions": _core.INSTRUCTION_SET, "the C library": library}


def shared(params: MicrographParams) -> dict[str, Any]:
    """The parameters that have to be the same in all stages, as JSON gives them back."""
    values: dict[str, Any] = json.loads(json.dumps(asdict(params)))
    return {name: value for name, value in values.items() if name not in LAST}


def digest_of(opened: Opened, params: MicrographParams) -> str:
    """Identifies the micrographs, their files and their order."""
    digest = hashlib.blake2b(digest_size=16)
    for i in opened.order:
        name = opened.exposures.names[i].encode("utf-8", "surrogateescape")
        digest.update(name + b"\0" + (key_of(opened.images[i], params.bin) if i in opened.images else b""))
    return digest.hexdigest()


def digest_of_prepared(records: Mapping[int, _core.Record]) -> str:
    """Identifies the pixels of the prepared micrographs by their checksums."""
    checksums = json.dumps(sorted((i, record.checksum) for i, record in records.items()))
    return hashlib.blake2b(checksums.encode(), digest_size=16).hexdigest()


def class_folder(folder: Path, number: int) -> Path:
    """The folder of a class in that of the plan."""
    return folder / f"class-{number + 1}"


def missing(shards: Iterable[tuple[int, int]]) -> tuple[int, list[int]] | None:
    """How many shards there should be, and the numbers, from 1, of those that are missing; None: one set is complete.

    Several sets can be there, if a stage was run with different numbers of shards: that of which least is missing counts.
    """
    there: dict[int, set[int]] = {}
    for number, count in shards:
        there.setdefault(count, set()).add(number)
    lacking: Sequence[tuple[int, list[int]]] = [
        (count, [number + 1 for number in range(count) if number not in numbers]) for count, numbers in sorted(there.items())
    ]
    if not lacking:
        return (1, [1])
    count, numbers = min(lacking, key=lambda one: len(one[1]))
    return (count, numbers) if numbers else None
