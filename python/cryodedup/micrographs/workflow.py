"""The whole job: read, compare, decide."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cryodedup.errors import InputError
from cryodedup.micrographs import acquisition
from cryodedup.micrographs.classes import class_warnings, comparable, pixel_sizes_a
from cryodedup.micrographs.comparing import Compared, Expect, Say, Told, compare
from cryodedup.micrographs.exposures import Exposures, open_exposures
from cryodedup.micrographs.forecast import MIN_SAID_S, Note, forecast, peak_memory_gb
from cryodedup.micrographs.gallery import doubtful_and_best, thumbnails
from cryodedup.micrographs.reading import CACHE, Progress, Reading, locked, masked_warning, move_other_file, open_headers
from cryodedup.micrographs.result import MicrographResult
from cryodedup.micrographs.sets import best, connected
from cryodedup.params import MicrographParams, checked

_FLAT = 0.25
"""A frame of less than this share of the session's usual signal is called flat."""
_MANY = 6
"""Sets of more micrographs are warned about."""
_FEW_STILL = 8
_STILL = 4
"""Pairs at a shift of at most so many reduced pixels are warned about where they are more than a few, and a fifth of all."""
_SMALL = 300 * 200
"""Reduced micrographs of fewer pixels are warned about."""


def find_duplicate_micrographs(
    micrographs: str | PathLike[str] | Sequence[str | PathLike[str]],
    params: MicrographParams | None = None,
    *,
    cache: str | PathLike[str] | None = None,
    resume: bool = False,
    say: Say = lambda stage: None,
    expect: Expect = lambda total: None,
    progress: Progress = None,
    note: Note = lambda text: None,
) -> MicrographResult:
    """Finds micrographs that show the same hole.

    Parameters
    ----------
    micrographs
        A STAR file or CryoSPARC dataset of micrographs, a folder, or any number of ``.mrc`` (``.gz``, ``.bz2``) or ``.tif`` files or
        patterns.
    params
        See :class:`MicrographParams`.
    cache
        A file for the prepared micrographs; None: a temporary one.
    resume
        Use what ``cache`` holds already, and read only other micrographs.
    say
        Called with the name of each stage as it begins.
    expect
        Called with how many bytes, micrographs or pairs the present stage has.
    progress
        Called about ten times a second with the bytes, micrographs or pairs done in the present stage.
    note
        Called with one line before a run of more than about a minute: how long it will take, and how much memory.

    Returns
    -------
    :class:`MicrographResult`: pairs, sets, which stay; ``write(directory)`` writes what the command line writes.

    Raises
    ------
    InputError
        One line: which file or parameter, what was found, what was expected. A single unreadable image is no error: the result names it.
    """
    params = checked(params)
    several = _paths(micrographs)
    started = time.perf_counter()
    say("opening")
    exposures = open_exposures(several, params.threads)
    if params.keep == "best-ctf" and exposures.ctf_a is None:
        raise InputError(f"{exposures.label}: found no rlnCtfMaxResolution or ctf_stats/ctf_fit_to_A, expected it for --keep best-ctf")
    order, rule = acquisition.sort(exposures.names, exposures.acquisitions, params.order)
    images, unreadable = open_headers(exposures, params.bin)
    with ExitStack() as stack:
        place = Path(cache) if cache is not None else Path(stack.enter_context(TemporaryDirectory(prefix="cryodedup-"))) / CACHE
        stack.enter_context(locked(place))
        moved = move_other_file(place)
        say("reading")
        expect(sum(image.bytes for image in images.values()))
        # Read, and compared, in the order of exposure: the result does not depend on that of the input.
        readable = [i for i in order if i in images]
        reading = Reading(readable, images, params, place, resume, progress)
        known_a = pixel_sizes_a(exposures, images)
        expected = forecast(reading, place, [len(members) for members in comparable(readable, images, known_a)], params)
        if expected is not None and expected.seconds >= MIN_SAID_S:
            note(str(expected))
        reading.read(reading.waiting)
        records = reading.records
        read = time.perf_counter()
        classes = comparable((i for i in readable if i in records), images, known_a)
        rank = {i: k for k, i in enumerate(order)}
        compared = [
            compare(
                place,
                members,
                [records[i] for i in members],
                [rank[i] for i in members],
                exposures.acquisitions,
                params,
                Told(say, expect, progress),
            )
            for members in classes
            if len(members) > 1
        ]
        result = _decide(exposures, order, params, compared)
        shown = [result.pairs[k] for kind in doubtful_and_best(result.pairs) for k in kind]
        result.thumbnails = thumbnails(place, records, shown)
    result.order_rule = rule
    result.unreadable = dict(sorted({**unreadable, **reading.unreadable}.items()))
    result.masked = dict(sorted(reading.masked.items()))
    result.flat = _flat(compared)
    result.sizes = [(images[i].nx, images[i].ny) if i in images else None for i in range(len(exposures))]
    result.pixel_sizes_a = [known_a[i] or images[i].pixel_size_a if i in images else None for i in range(len(exposures))]
    if moved:
        result.warnings.append(f"{place}: found another file, or one damaged from its first byte on; moved to {moved}")
    elif reading.damaged:
        result.warnings.append(f"{place}: was damaged; what was lost was read again")
    result.warnings += class_warnings(exposures.names, classes, images, known_a) + masked_warning(exposures.names, result.masked, images)
    result.warnings += _warnings(exposures, result)
    result.forecast, result.peak_memory_gb = expected, peak_memory_gb()
    result.times_s = {"reading": read - started, "comparing": time.perf_counter() - read}
    return result


def _paths(micrographs: object) -> list[Path]:
    alone = isinstance(micrographs, str | PathLike) or not isinstance(micrographs, Iterable)
    several: list[Any] = [micrographs] if alone else list(micrographs)  # type: ignore[call-overload]
    wrong = [item for item in several if not (isinstance(item, str | PathLike) and str(item))]
    if wrong:
        raise InputError(f"micrographs: found {wrong[0]!r}, expected a path or several")
    return [Path(item) for item in several]


def _decide(exposures: Exposures, order: Sequence[int], params: MicrographParams, compared: Sequence[Compared]) -> MicrographResult:
    rank = np.empty(len(exposures))
    rank[list(order)] = np.arange(len(exposures))
    if params.keep == "best-ctf":
        assert exposures.ctf_a is not None
        resolution = np.where(np.isfinite(exposures.ctf_a) & (exposures.ctf_a > 0), exposures.ctf_a, np.inf)
        rank = np.lexsort((rank, resolution)).argsort().astype(float)
    pairs = [pair for found in compared for pair in found.pairs]
    for pair in pairs:
        if rank[pair.first] > rank[pair.second]:
            pair.turn()
    groups = connected(len(exposures), ((pair.first, pair.second) for pair in pairs))
    groups.sort(key=lambda group: min(rank[i] for i in group))
    groups = [sorted(group, key=lambda i: rank[i]) for group in groups]
    number = {i: k + 1 for k, group in enumerate(groups) for i in group}
    for pair in pairs:
        pair.set = number[pair.first]
    kept = np.ones(len(exposures), bool)
    for group in groups:
        stays = best(group, rank.tolist())
        kept[[i for i in group if i != stays]] = False
    pairs.sort(key=lambda pair: (rank[pair.first], rank[pair.second]))
    return MicrographResult(
        params=params,
        exposures=exposures,
        order=list(order),
        pairs=pairs,
        groups=groups,
        kept=kept,
        compared=list(compared),
        warnings=[],
    )


def _flat(compared: Iterable[Compared]) -> list[int]:
    """Micrographs of hardly any signal: no specimen, or no beam to speak of."""
    flat: list[int] = []
    for found in compared:
        usual = float(np.median(found.signal))
        flat += [found.members[i] for i in np.flatnonzero(found.signal < _FLAT * usual)]
    return sorted(flat)


def _warnings(exposures: Exposures, result: MicrographResult) -> list[str]:
    warnings = []
    for found in result.compared:
        if found.size[0] * found.size[1] < _SMALL:
            warnings.append(
                f"{len(found.members):,} micrographs reduced to {found.size[0]} x {found.size[1]} pixels: so few tell little,"
                " and some pairs may be false; a smaller --bin keeps more"
            )
        if (at_zero := found.screening.get("median_z_at_zero_shift", 0.0)) > 4:
            warnings.append(
                f"{len(found.members)} micrographs, too few to take the camera's fixed pattern out, correlate at zero shift (median z"
                f" {at_zero:.1f}): that is taken to be the pattern"
            )
        recalls = found.screening.get("predicted_recall_at_overlap_0.3", {})
        if recalls and recalls.get(str(found.screening["group_size"]), 1.0) < 0.99:
            size = found.screening["group_size"]
            why = f"groups of {size}" if size > 1 else "dim micrographs"
            warnings.append(f"{why}: screening is predicted to find {100 * recalls[str(size)]:.0f} % of those that overlap by 0.3")
    if result.compared and not any(found.tested for found in result.compared):
        warnings.append("the window holds no pair: --images-per-move is above --scan-range, or there are too few micrographs")
    largest = max(map(len, result.groups), default=0)
    if largest > _MANY:
        warnings.append(
            f"one set holds {largest} micrographs, but hardly is a hole imaged so often: do many show something else in one place, as the"
            " edge of the beam? Look at a few before they are removed"
        )
    if result.params.keep == "best-ctf" and exposures.ctf_a is not None:
        unknown = int((~np.isfinite(exposures.ctf_a) | (exposures.ctf_a <= 0)).sum())
        if unknown:
            warnings.append(f"{unknown:,} of {len(exposures):,} micrographs have no fitted CTF resolution: within a set the others stay")
    still = sum(max(map(abs, pair.shift_px)) <= _STILL * result.params.bin for pair in result.pairs)
    if still > max(_FEW_STILL, len(result.pairs) / 5):
        warnings.append(
            f"{still:,} of {len(result.pairs):,} pairs lie on each other without a shift: are there copies of one exposure, or is it the"
            " pattern of a gain reference that few micrographs share? Look at a few before they are removed"
        )
    if exposures.also is not None:
        warnings.append(f"names are looked up from {os.path.realpath(exposures.base)}, but all are found from {exposures.also}, too")
    contradicted = sum(pair.pattern == "contradicted" for pair in result.pairs)
    if contradicted:
        warnings.append(
            f"the other shots of the same holes contradict {contradicted:,} of {len(result.pairs):,} pairs, which count nevertheless:"
            " look at them (column pattern)"
        )
    if result.unreadable:
        first = next(iter(result.unreadable))
        warnings.append(
            f"{len(result.unreadable):,} of {len(exposures):,} micrographs could not be used, and stay: {exposures.names[first]}:"
            f" {result.unreadable[first]}" + (" (and others, see summary.json)" if len(result.unreadable) > 1 else "")
        )
    return warnings
