"""The stages: prepare (shards), plan, compare (shards), merge. Together they give the result of one run, to the bit."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.micrographs.blocks import WHOLE, Shard, arrays_of, block_of, open_search, plan_search, save_search
from cryodedup.micrographs.cache_file import locked
from cryodedup.micrographs.compare import conclude
from cryodedup.micrographs.concluding import outcome_of
from cryodedup.micrographs.headers import Inputs, Opened, open_micrographs
from cryodedup.micrographs.prepared import Prepared
from cryodedup.micrographs.reading import Reading, key_of, masked_px, refusal
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.micrographs.saved_arrays import Arrays
from cryodedup.micrographs.stages.files import StageFiles, found_arrays, put, put_arrays, put_json, read_json
from cryodedup.micrographs.stages.plan import (
    Plan,
    PlannedClass,
    check_computed,
    class_folder,
    computed,
    digest_of,
    digest_of_prepared,
    missing,
    shared,
)
from cryodedup.micrographs.unique import of_classes, unique_ones
from cryodedup.names import named
from cryodedup.params import MicrographParams
from cryodedup.progress import SILENT, Progress
from cryodedup.text import count

_PREPARED = "cryodedup-prepared/1"
_MAX_NAMED = 20


def _check(params: MicrographParams) -> None:
    if params.search_flips:
        raise InputError(
            kind="conflict", field=named("search_flips"), found=f"it together with {named('stage')}", expected="it in a run without stages"
        )


def prepare(micrographs: Inputs, params: MicrographParams, output: Path, shard: Shard = WHOLE, progress: Progress = SILENT) -> str:
    """Reads a shard's micrographs into a file of their own; returns a sentence about it. What was read before is not read again."""
    _check(params)
    files = StageFiles.of(output)
    opened = open_micrographs(micrographs, params, progress)
    readable = [i for i in opened.order if i in opened.images][shard[0] :: shard[1]]
    progress.stage("reading", sum(opened.images[i].bytes for i in readable))
    with files.writing() as staging, locked(files.cache(shard)):
        reading = Reading(readable, opened.images, params, files.cache(shard), True, progress)
        reading.read(reading.waiting)
        refused = {key_of(opened.images[i], params.bin).hex(): reason for i, reason in reading.unreadable.items()}
        put_json(staging, files.prepared(shard), {"schema": _PREPARED, "shard": list(shard), "computed": computed(), "unreadable": refused})
    without = f", {len(reading.unreadable):,} of which cannot be used" if reading.unreadable else ""
    return f"prepared {len(readable):,} of {len(opened.images):,} micrographs{without}"


def plan(micrographs: Inputs, params: MicrographParams, output: Path, progress: Progress = SILENT) -> str:
    """Finds out what all comparisons share, and writes it; returns a sentence about it."""
    _check(params)
    files = StageFiles.of(output)
    opened = open_micrographs(micrographs, params, progress)
    prepared = _prepared(opened, params, files, progress)
    unique = unique_ones(opened, prepared.records, params)
    with files.writing() as staging:
        folder = staging / files.plan.name
        folder.mkdir()
        classes = []
        for number, of_class in enumerate(unique.classes):
            if len(of_class.members) > 1:
                own = class_folder(folder, number)
                own.mkdir()
                save_search(plan_search(of_class, params, own, progress), own, files.folder)
            classes.append(PlannedClass(list(of_class.members), list(of_class.ordinals)))
        made = Plan(
            params=shared(params),
            micrographs=digest_of(opened, params),
            prepared=digest_of_prepared(prepared.records),
            unreadable=prepared.unreadable,
            masked=prepared.masked,
            versions=unique.versions,
            refused=unique.refused,
            classes=classes,
            computed=computed(),
        )
        made.write(folder)
        put(folder, files.plan)
    compared = sum(len(of_class.members) for of_class in unique.compared)
    return f"planned the comparison of {compared:,} micrographs"


def _prepared(opened: Opened, params: MicrographParams, files: StageFiles, progress: Progress) -> Prepared:
    """Returns what the shards prepared, complete."""
    shards = files.shards("prepared", ".json")
    if lacking := missing(shards):
        raise _lacking(files.folder, "prepare", *lacking)
    progress.stage("checking what was prepared")
    keys = {i: key_of(image, params.bin) for i, image in opened.images.items()}
    caches = [files.cache(shard) for shard in shards if files.cache(shard).exists()]
    found = _core.find_records(caches, list(keys.values()), threads=params.threads, progress=None)
    refused: dict[str, str] = {}
    for shard in shards:
        said = read_json(files.prepared(shard))
        _check_number(files.prepared(shard), said.get("shard"), shard, "prepare")
        check_computed(said.get("computed", {}), f"{files.prepared(shard)} was made", "prepare")
        refused |= said.get("unreadable", {})
    records, unreadable, without = {}, dict(opened.unreadable), []
    for (i, key), record in zip(keys.items(), found, strict=True):
        reason = refusal(record, opened.images[i]) if record is not None else refused.get(key.hex())
        if reason is not None:
            unreadable[i] = reason
        elif record is None:
            without.append(opened.exposures.names[i])
        else:
            records[i] = record
    if without:
        raise InputError(
            kind="missing",
            path=files.folder,
            found=f"{count(len(without), 'micrograph')} of the input not prepared, such as {without[0]}: new, changed, or prepared with"
            f" another {named('bin')}",
            remedy=f"run {named('stage', 'prepare')} again",
        )
    order = [i for i in opened.order if i in records]
    return Prepared({i: records[i] for i in order}, dict(sorted(unreadable.items())), masked_px(records), None, [])


def compare(params: MicrographParams, output: Path, shard: Shard = WHOLE, progress: Progress = SILENT) -> str:
    """Compares a shard's pairs, and writes what was found; returns a sentence about it. Pairs that are there already are not compared."""
    files = StageFiles.of(output)
    made = Plan.read(files)
    made.check(params)
    target = files.compared(shard)
    if _is_done(target, made, shard):
        return f"{target.name} of an earlier run is complete: nothing to do"
    arrays: Arrays = {"plan": _plan_id(made), "shard": np.array(shard)}
    pairs = 0
    for number, planned_class in _compared(made):
        search = open_search(class_folder(files.plan, number), planned_class.ordinals, params, compares=True)
        block = search.compare(shard=shard, threads=params.threads, progress=progress)
        arrays |= {f"{number}.{name}": column for name, column in arrays_of(block).items()}
        pairs += len(block)
    with files.writing() as staging:
        put_arrays(staging, target, arrays)
    return f"compared {count(pairs, 'pair')} closely"


def _plan_id(made: Plan) -> NDArray[np.uint8]:
    return np.frombuffer(made.id.encode(), np.uint8)


def _is_done(target: Path, made: Plan, shard: Shard) -> bool:
    try:
        arrays = found_arrays(target) if target.exists() else {}
        _check_number(target, arrays.get("shard"), shard, "compare")
    except InputError:
        return False
    return np.array_equal(arrays["plan"], _plan_id(made))


def _check_number(target: Path, found: Any, shard: Shard, stage: str) -> None:
    """Refuses a file of another shard, copied or renamed."""
    number, count = shard
    if found is None or [int(value) for value in found] != [number, count]:
        of = "no shard of this version" if found is None else f"shard {int(found[0]) + 1} of {int(found[1])}"
        raise InputError(
            kind="contradiction",
            path=target,
            found=f"{of}",
            expected=f"{number + 1} of {count}",
            remedy=f"run {named('stage', stage)} {named('shard')} {number + 1}/{count} again",
        )


def _compared(made: Plan) -> Iterator[tuple[int, PlannedClass]]:
    return ((number, one) for number, one in enumerate(made.classes) if len(one.members) > 1)


def merge(micrographs: Inputs, params: MicrographParams, output: Path, progress: Progress = SILENT) -> MicrographOutcome:
    """Decides by all that was compared; the result, as one run gives it."""
    started = time.perf_counter()
    files = StageFiles.of(output)
    made = Plan.read(files)
    made.check(params)
    opened = open_micrographs(micrographs, params, progress)
    if digest_of(opened, params) != made.micrographs:
        raise InputError(
            kind="contradiction",
            path=opened.exposures.label,
            found="other micrographs than in the plan, or changed ones",
            remedy=f"run {named('stage', 'prepare')} and {named('stage', 'plan')} again",
        )
    shards = _shards_of(made, files)
    several, compared = [], []
    searches = {
        number: open_search(class_folder(files.plan, number), one.ordinals, params, compares=False) for number, one in _compared(made)
    }
    for number, one in enumerate(made.classes):
        several.append((one.members, searches[number].session.records if number in searches else []))
    unique = of_classes(opened, made.versions, made.refused, several, params)
    for number, search in searches.items():
        block = _core.Block.join([_block_of(shard, number) for shard in shards])
        compared.append(conclude(unique.classes[number], search, block, params, progress))
    records = {i: record for members, of_class in several for i, record in zip(members, of_class, strict=False)}
    prepared = Prepared(records, made.unreadable, made.masked, None, [])
    with files.writing() as scratch:
        times_s = {"merging": time.perf_counter() - started}
        return outcome_of(opened, prepared, unique, compared, params, scratch, times_s, progress)


def _shards_of(made: Plan, files: StageFiles) -> list[Arrays]:
    """A complete set of what was compared by a plan."""
    there: dict[Shard, Arrays] = {}
    for shard in files.shards("compared", ".npz"):
        target = files.compared(shard)
        arrays = found_arrays(target)
        if np.array_equal(arrays["plan"], _plan_id(made)):
            _check_number(target, arrays["shard"], shard, "compare")
            there[shard] = arrays
    if lacking := missing(there):
        raise _lacking(files.folder, "compare", *lacking)
    count = next(count for _, count in there if missing([shard for shard in there if shard[1] == count]) is None)
    return [arrays for shard, arrays in there.items() if shard[1] == count]


def _block_of(arrays: Arrays, number: int) -> _core.Block:
    prefix = f"{number}."
    return block_of({name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)})


def _lacking(folder: Path, stage: str, count: int, numbers: Sequence[int]) -> InputError:
    refused, again = partial(InputError, kind="missing", path=folder), f"run {named('stage', stage)}"
    listed = ", ".join(map(str, numbers[:_MAX_NAMED])) + (", ..." if len(numbers) > _MAX_NAMED else "")
    if count == 1:
        return refused(reason=f"the stage {stage} is missing, or does not belong to the other stages", remedy=again)
    return refused(
        found=f"{count - len(numbers):,} of {count:,} shards of the stage {stage} that belong to the other stages",
        expected="all",
        remedy=f"{again} for shard {listed}",
    )
